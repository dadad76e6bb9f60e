"""Small picture files of every kind that decode_image takes, made with Pillow, OpenCV, tifffile and by hand.

variants()[kind] is a list of (name, make): make(rng) gives (file bytes, wanted), where wanted is PILLOW (pixels of
convert('RGB')), REFUSED, or an array of the RGB pixels that docs/formats.md promises instead of Pillow's.
"""
import io
import struct
import zlib

import cv2
import numpy as np
import tifffile
from PIL import Image

PILLOW, REFUSED = "pillow", "refused"
most = 40  # the largest side; a caller may set another


def size_of(rng):
    return int(rng.integers(1, most)), int(rng.integers(1, most))


def tiff_size(rng):
    """tifffile takes small sides for samples."""
    return int(rng.integers(6, most)), int(rng.integers(6, most))


def array(rng, channels=3, bits=8, size=None):
    """Half noise, half a smooth slope."""
    w, h = size or size_of(rng)
    top = 2**bits
    if rng.integers(2):
        a = rng.integers(0, top, (h, w, channels))
    else:
        y, x = np.mgrid[0:h, 0:w]
        a = np.stack([(x * rng.integers(1, 9) + y * rng.integers(1, 9)) * top / 512 % top for _ in range(channels)], -1)
    return a.astype(np.uint16 if bits > 8 else np.uint8)


def gray_rgb(a):
    return np.repeat(a.reshape(a.shape[0], a.shape[1], 1), 3, 2).astype(np.uint8)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def cv_saved(a, extension, *options):
    return cv2.imencode(extension, a, list(options))[1].tobytes()


def pil(a, mode=None):
    return Image.fromarray(a[..., 0] if a.shape[-1] == 1 else a, mode)


def packed(values, bits, pad=1):
    """Rows of values, `bits` each, from the upper bit on, rows padded to `pad` bytes."""
    h, w = values.shape
    shifts = np.arange(bits)[::-1]
    b = (values[..., None].astype(np.uint32) >> shifts & 1).reshape(h, w * bits).astype(np.uint8)
    rows = np.packbits(b, axis=1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % pad))).tobytes()


# BMP

def bmp(header, size, bits, data, compression=0, palette=b"", masks=b"", colors=0, top_down=False, offset=None):
    w, h = size
    if header == 12:
        info = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, w, -h if top_down else h, 1, bits, compression, len(data), 2835, 2835, colors, 0)
        info += (masks.ljust(header - 40, b"\0") if header > 40 else b"")[: header - 40]
        if header == 40:
            info += masks
    at = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(data), 0, 0, at if offset is None else offset) + info + palette + data


def bmp_rows(a, top_down):
    return a if top_down else a[::-1]


def bmp_palette(bits, header, colors=None, **options):
    def make(rng):
        n = colors or 2**bits
        values = array(rng, 1)[..., 0].astype(int) % n
        entries = rng.integers(0, 256, (n, 3 if header == 12 else 4), dtype=np.uint8)
        top = header != 12 and bool(rng.integers(2))
        return bmp(header, values.shape[::-1], bits, packed(bmp_rows(values, top), bits, 4), palette=entries.tobytes(),
                   colors=colors or 0, top_down=top, **options), PILLOW
    return make


def bmp_masks(header, bits, masks, compression=3, wanted=PILLOW):
    def make(rng):
        pixels = rng.integers(0, 2**32, size_of(rng)[::-1], dtype=np.uint64) & (2**bits - 1)
        top = bool(rng.integers(2))
        rows = bmp_rows(pixels, top)
        raw = b"".join(np.frombuffer(r.astype("<u4").tobytes(), np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes().ljust(
            (r.size * bits + 31) // 32 * 4, b"\0") for r in rows)
        file = bmp(header, pixels.shape[::-1], bits, raw, compression, masks=struct.pack(f"<{len(masks)}I", *masks), top_down=top)
        if not isinstance(wanted, str) or wanted == "exact":
            def field(mask):
                shift = (mask & -mask).bit_length() - 1
                return ((pixels & mask) >> shift) * 255 // (mask >> shift)
            return file, np.stack([field(m) for m in masks[:3]], -1).astype(np.uint8)
        return file, wanted
    return make


def bmp_plain(bits, header):
    def make(rng):
        a = array(rng, bits // 8)
        top = header != 12 and bool(rng.integers(2))
        rows = bmp_rows(a, top)
        raw = b"".join(r.tobytes().ljust((a.shape[1] * bits + 31) // 32 * 4, b"\0") for r in rows)
        return bmp(header, (a.shape[1], a.shape[0]), bits, raw, top_down=top), PILLOW
    return make


def runs(row, bits, rng):
    """Runs and literals that make a row, at random."""
    out, x = b"", 0
    while x < len(row):
        if rng.integers(2) and len(row) - x >= 3:  # literal
            n = min(len(row) - x, int(rng.integers(3, 9)))
            body = bytes(int(v) for v in row[x:x + n]) if bits == 8 else packed(row[None, x:x + n], 4)
            out += bytes([0, n]) + body + b"\0" * (len(body) % 2)
        else:
            n = 1
            while x + n < len(row) and n < 255 and row[x + n] == row[x]:
                n += 1
            out += bytes([n, int(row[x]) if bits == 8 else int(row[x]) * 17])
        x += n
    return out


def bmp_rle(bits, skip=False):
    def make(rng):
        values = array(rng, 1)[..., 0].astype(int) // 64 % 2**bits
        palette = rng.integers(0, 256, (2**bits, 4), dtype=np.uint8)
        data = b""
        for y, row in enumerate(values[::-1]):
            data += runs(row, bits, rng)
            data += b"\0\0"
        if skip:  # a picture whose first row is skipped
            data = b"\0\2\0\1" + b"".join(runs(row, bits, rng) + b"\0\0" for row in values[::-1][1:])
        return bmp(40, values.shape[::-1], bits, data + b"\0\1", 1 if bits == 8 else 2, palette=palette.tobytes()), PILLOW
    return make


def bmp_variants():
    rgb, bgr_alpha = (0xFF0000, 0xFF00, 0xFF), (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield "pillow_1", lambda r: (saved(pil(array(r, 1)).convert("1"), "BMP"), PILLOW)
    yield "pillow_l", lambda r: (saved(pil(array(r, 1)), "BMP"), PILLOW)
    yield "pillow_p", lambda r: (saved(pil(array(r)).quantize(int(r.integers(2, 256))), "BMP"), PILLOW)
    yield "pillow_rgb", lambda r: (saved(pil(array(r)), "BMP"), PILLOW)
    yield "pillow_rgba", lambda r: (saved(pil(array(r, 4)), "BMP"), PILLOW)
    yield "opencv_bgr", lambda r: (cv_saved(array(r), ".bmp"), PILLOW)
    yield "opencv_gray", lambda r: (cv_saved(array(r, 1), ".bmp"), PILLOW)
    yield "opencv_bgra", lambda r: (cv_saved(array(r, 4), ".bmp"), PILLOW)
    for bits in (1, 4, 8):
        for header in (12, 40, 64, 108, 124):
            yield f"palette_{bits}_header_{header}", bmp_palette(bits, header)
    yield "palette_short", bmp_palette(8, 40, 77)
    yield "palette_4_short", bmp_palette(4, 40, 5)
    yield "offset_0", bmp_palette(8, 40, offset=0)
    for bits in (16, 24, 32):
        for header in (40, 52, 56, 108, 124) + ((12,) if bits == 24 else ()):
            yield f"plain_{bits}_header_{header}", bmp_plain(bits, header)
    for header in (40, 52, 56, 108, 124):
        yield f"565_header_{header}", bmp_masks(header, 16, (0xF800, 0x7E0, 0x1F))
        yield f"555_header_{header}", bmp_masks(header, 16, (0x7C00, 0x3E0, 0x1F))
        yield f"bgrx_header_{header}", bmp_masks(header, 32, rgb + ((0,) if header > 52 else ()))
        yield f"xbgr_header_{header}", bmp_masks(header, 32, (0xFF000000, 0xFF0000, 0xFF00) + ((0,) if header > 52 else ()))
    for header in (56, 108, 124):
        yield f"bgra_header_{header}", bmp_masks(header, 32, bgr_alpha)
        yield f"rgba_header_{header}", bmp_masks(header, 32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000))
        yield f"gimp_abgr_header_{header}", bmp_masks(header, 32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF))
        yield f"bgar_header_{header}", bmp_masks(header, 32, (0xFF000000, 0xFF00, 0xFF, 0xFF0000))
    yield "masks_24", bmp_masks(40, 24, rgb)
    yield "masks_empty", bmp_masks(56, 32, (0, 0, 0, 0))
    # Pillow refuses these.
    yield "masks_444", bmp_masks(40, 16, (0xF00, 0xF0, 0xF), wanted="exact")
    yield "masks_4444_alpha", bmp_masks(108, 16, (0xF00, 0xF0, 0xF, 0xF000), wanted="exact")
    yield "masks_101010", bmp_masks(40, 32, (0x3FF00000, 0xFFC00, 0x3FF), wanted="exact")
    yield "masks_rgb_swapped", bmp_masks(40, 32, (0xFF, 0xFF00, 0xFF0000), wanted="exact")
    yield "alpha_bitfields", bmp_masks(40, 32, bgr_alpha, compression=6, wanted="exact")
    yield "masks_with_a_hole", bmp_masks(40, 32, (0xF0F000, 0xF00, 0xFF), wanted=REFUSED)
    yield "rle8", bmp_rle(8)
    yield "rle4", bmp_rle(4)
    yield "rle8_skip", bmp_rle(8, skip=True)
    yield "rle4_skip", bmp_rle(4, skip=True)
    yield "jpeg_inside", lambda r: (bmp(40, (4, 4), 0, b"\xff\xd8", 4), REFUSED)
    yield "os2_huffman", lambda r: (bmp(64, (4, 4), 1, b"\0" * 16, 3), REFUSED)


# PNG

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(raw, row_bytes, step, rng):
    """Each row under a filter chosen at random."""
    out, before = b"", np.zeros(row_bytes, np.uint8)
    for at in range(0, len(raw), row_bytes):
        row = np.frombuffer(raw[at:at + row_bytes], np.uint8)
        left = np.concatenate([np.zeros(step, np.uint8), row])[:row_bytes]
        corner = np.concatenate([np.zeros(step, np.uint8), before])[:row_bytes]
        kind = int(rng.integers(5))
        a, b, c = left.astype(int), before.astype(int), corner.astype(int)
        p = a + b - c
        pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        guess = [np.zeros(row_bytes, int), a, b, (a + b) // 2, paeth][kind]
        out += bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        before = row
    return out


def png(values, bits, color, rng, interlaced=False, palette=b"", before=b"", after=b"", pieces=1):
    h, w, channels = values.shape
    passes = [(0, 0, 1, 1)] if not interlaced else [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                                                    (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x, y, dx, dy in passes:
        part = values[y::dy, x::dx]
        if part.size == 0:
            continue
        flat = part.reshape(part.shape[0], -1)
        row_bytes = (flat.shape[1] * bits + 7) // 8
        raw += filtered(packed(flat, bits), row_bytes, max(1, channels * bits // 8), rng)
    data = zlib.compress(raw)
    cut = max(1, len(data) // pieces)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, color, 0, 0, int(interlaced)))
    out += before + (chunk(b"PLTE", palette) if palette else b"")
    for at in range(0, len(data), cut):
        out += chunk(b"IDAT", data[at:at + cut])
    return out + after + chunk(b"IEND", b"")


def png_values(bits, color, interlaced, extra=None):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]

    def make(rng):
        values = array(rng, channels, 16)
        values = values >> (16 - bits)
        palette, before = b"", b""
        if color == 3:
            n = int(rng.integers(1, 2**bits + 1))
            values = values.astype(int) % n
            palette = rng.integers(0, 256, n * 3, dtype=np.uint8).tobytes()
        if extra:
            before = extra(rng, bits, color)
        file = png(values, bits, color, rng, interlaced, palette, before, pieces=int(rng.integers(1, 4)))
        if bits == 16 and color in (0, 4):
            return file, gray_rgb(values[..., 0] >> 8)
        return file, PILLOW
    return make


def apng(rng):
    w, h = size_of(rng)
    frames = [pil(array(rng, size=(w, h))) for _ in range(3)]
    return saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), PILLOW


def png_variants():
    for color, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for bits in depths:
            for interlaced in (False, True):
                yield f"color_{color}_bits_{bits}{'_interlaced' * interlaced}", png_values(bits, color, interlaced)
    gamma = lambda r, b, c: chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"cHRM", b"\0" * 32)
    yield "gamma", png_values(8, 2, False, gamma)
    yield "srgb", png_values(8, 0, False, lambda r, b, c: chunk(b"sRGB", b"\0"))
    yield "damaged_profile", png_values(8, 2, False, lambda r, b, c: chunk(b"iCCP", b"x\0\0no profile"))
    yield "transparent_color", png_values(8, 2, False, lambda r, b, c: chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
    yield "transparent_gray", png_values(8, 0, False, lambda r, b, c: chunk(b"tRNS", struct.pack(">H", 7)))
    yield "significant_bits", png_values(8, 2, False, lambda r, b, c: chunk(b"sBIT", b"\5\6\5"))
    yield "pillow_transparent_palette", lambda r: (saved(pil(array(r)).quantize(9), "PNG", transparency=bytes(range(9))), PILLOW)
    yield "pillow_1", lambda r: (saved(pil(array(r, 1)).convert("1"), "PNG"), PILLOW)
    yield "pillow_rgba", lambda r: (saved(pil(array(r, 4)), "PNG"), PILLOW)
    yield "pillow_la", lambda r: (saved(pil(array(r, 4)).convert("LA"), "PNG"), PILLOW)
    yield "opencv_bgr16", lambda r: (cv_saved(array(r, 3, 16), ".png"), PILLOW)
    yield "opencv_bgra", lambda r: (cv_saved(array(r, 4), ".png"), PILLOW)

    def opencv_gray16(rng):
        a = array(rng, 1, 16)
        return cv_saved(a, ".png"), gray_rgb(a >> 8)
    yield "opencv_gray16", opencv_gray16
    yield "animation", apng


# PNM

def pnm(kind, text_comment=False):
    def make(rng):
        plain, bitmap, channels = kind <= 3, kind in (1, 4), 3 if kind in (3, 6) else 1
        top = 1 if bitmap else int(rng.choice([1, 2, 7, 100, 254, 255, 256, 1000, 4095, 65535, rng.integers(1, 65536)]))
        w, h = size_of(rng)
        a = rng.integers(0, top + 1, (h, w * channels))
        note = b"# a comment\n" if rng.integers(2) else b""
        space = [b" ", b"\n", b"\t", b"\r\n"][int(rng.integers(4))]
        head = b"P%d\n" % kind + note + b"%d" % w + space + b"%d\n" % h
        if not bitmap:
            head += note + b"%d\n" % top
        if plain and bitmap:
            body = b"\n".join((b"" if rng.integers(2) else b" ").join(b"%d" % v for v in row) for row in a)
        elif plain:
            body = b"\n".join(b" ".join(b"%d" % v for v in row) for row in a)
            if text_comment:
                body = b"# in between 1 2 3\n" + body
        elif bitmap:
            body = packed(a, 1)
        else:
            body = a.astype(np.uint8 if top < 256 else ">u2").tobytes()
        if not bitmap and channels == 1 and top > 255:
            wide = np.array([round(v / top * 65535) for v in a.flat]).reshape(h, w)
            return head + body, gray_rgb(wide >> 8)
        return head + body, PILLOW
    return make


def pnm_variants():
    for kind in range(1, 7):
        for i in range(5):
            yield f"p{kind}_{i}", pnm(kind)
    for kind in (2, 3):
        yield f"p{kind}_comment_inside", pnm(kind, text_comment=True)
    for mode in ("1", "L", "RGB"):
        yield f"pillow_{mode}", lambda r, m=mode: (saved(pil(array(r)).convert(m), "PPM"), PILLOW)
    yield "opencv_ppm", lambda r: (cv_saved(array(r), ".ppm"), PILLOW)
    yield "opencv_pgm_text", lambda r: (cv_saved(array(r, 1), ".pgm", cv2.IMWRITE_PXM_BINARY, 0), PILLOW)
    yield "opencv_pbm", lambda r: (cv_saved(array(r, 1), ".pbm"), PILLOW)
    yield "opencv_ppm16", lambda r: (cv_saved(array(r, 3, 16), ".ppm"), PILLOW)
    yield "pam", lambda r: (cv_saved(array(r, 4), ".pam"), REFUSED)
    yield "pfm", lambda r: (cv_saved(array(r).astype(np.float32), ".pfm"), REFUSED)


# WebP

def webp_animation(**options):
    def make(rng):
        w, h = size_of(rng)
        frames = [pil(array(rng, 4, size=(w, h))) for _ in range(3)]
        return saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=40, **options), PILLOW
    return make


def webp_variants():
    for quality in (1, 50, 90, 100):
        yield f"lossy_{quality}", lambda r, q=quality: (saved(pil(array(r)), "WEBP", quality=q), PILLOW)
        yield f"lossy_alpha_{quality}", lambda r, q=quality: (saved(pil(array(r, 4)), "WEBP", quality=q), PILLOW)
    yield "lossless", lambda r: (saved(pil(array(r)), "WEBP", lossless=True), PILLOW)
    yield "lossless_alpha", lambda r: (saved(pil(array(r, 4)), "WEBP", lossless=True), PILLOW)
    yield "lossless_exact", lambda r: (saved(pil(array(r, 4)), "WEBP", lossless=True, exact=True), PILLOW)
    yield "profile", lambda r: (saved(pil(array(r)), "WEBP", icc_profile=b"not a profile", exif=b"Exif\0\0II*\0"), PILLOW)
    yield "animation", webp_animation()
    yield "animation_lossless", webp_animation(lossless=True)
    yield "animation_mixed", webp_animation(allow_mixed=True)
    yield "opencv_lossy", lambda r: (cv_saved(array(r), ".webp", cv2.IMWRITE_WEBP_QUALITY, 70), PILLOW)
    yield "opencv_lossless", lambda r: (cv_saved(array(r, 4), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101), PILLOW)


# JPEG

def jpeg_ycck(rng):
    """A CMYK file whose Adobe segment says YCCK."""
    file = saved(pil(array(rng, 4), "CMYK"), "JPEG", quality=90)
    at = file.index(b"Adobe\0") + 11
    return file[:at] + b"\2" + file[at + 1:], PILLOW


def jpeg_12_bits(rng):
    file = saved(pil(array(rng)), "JPEG")
    at = file.index(b"\xff\xc0") + 4
    return file[:at] + b"\x0c" + file[at + 1:], REFUSED


def jpeg_two_pictures(rng):
    first, second = (pil(array(rng)) for _ in range(2))
    return saved(first, "MPO", save_all=True, append_images=[second]), PILLOW


def jpeg_variants():
    for quality in (5, 75, 100):
        for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            for progressive in (False, True):
                yield f"q{quality}_{subsampling.replace(':', '')}{'_progressive' * progressive}", (
                    lambda r, q=quality, s=subsampling, p=progressive:
                    (saved(pil(array(r)), "JPEG", quality=q, subsampling=s, progressive=p), PILLOW))
    for name in ("411", "440"):
        factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}")
        yield f"opencv_{name}", lambda r, f=factor: (cv_saved(array(r), ".jpg", cv2.IMWRITE_JPEG_SAMPLING_FACTOR, f), PILLOW)
    yield "gray", lambda r: (saved(pil(array(r, 1)), "JPEG"), PILLOW)
    yield "gray_progressive", lambda r: (saved(pil(array(r, 1)), "JPEG", progressive=True), PILLOW)
    yield "rgb_transform_0", lambda r: (saved(pil(array(r)), "JPEG", keep_rgb=True), PILLOW)
    yield "cmyk", lambda r: (saved(pil(array(r, 4), "CMYK"), "JPEG", quality=90), PILLOW)
    yield "cmyk_progressive", lambda r: (saved(pil(array(r, 4), "CMYK"), "JPEG", progressive=True), PILLOW)
    yield "ycck", jpeg_ycck
    yield "restarts", lambda r: (saved(pil(array(r)), "JPEG", restart_marker_blocks=1), PILLOW)
    yield "optimized", lambda r: (saved(pil(array(r)), "JPEG", optimize=True), PILLOW)
    yield "profile", lambda r: (saved(pil(array(r)), "JPEG", icc_profile=b"not a profile" * 99, comment=b"\xff\xd9"), PILLOW)
    yield "long_profile", lambda r: (saved(pil(array(r)), "JPEG", icc_profile=b"not a profile" * 9999), PILLOW)
    yield "two_pictures", jpeg_two_pictures
    yield "12_bits", jpeg_12_bits


# TIFF

def tiff(a, **options):
    out = io.BytesIO()
    extra = options.pop("orientation", None)
    if extra:
        options["extratags"] = [(274, 3, 1, extra, True)]
    tifffile.imwrite(out, a, metadata=None, **options)
    return out.getvalue()


def tiff_wanted(file, a, **options):
    """PILLOW; where Pillow refuses the layout (BigTIFF in big-endian order, some planes), its pixels of another one."""
    def pixels(data):
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    try:
        pixels(file)
        return PILLOW
    except (OSError, ValueError):
        return pixels(tiff(a, **(options | {"byteorder": "<", "compression": "zlib"})))


def some_layout(rng):
    """Byte order, BigTIFF, strips or tiles, compression, predictor."""
    options = {"byteorder": "<>"[int(rng.integers(2))], "bigtiff": bool(rng.integers(2)),
               "compression": [None, "zlib", "lzw", "packbits", "deflate"][int(rng.integers(5))]}
    if rng.integers(2):
        options["tile"] = (16, 32)
    else:
        options["rowsperstrip"] = int(rng.integers(1, 50))
    if options["compression"] in ("zlib", "lzw", "deflate") and rng.integers(2):
        options["predictor"] = True
    return options


def tiff_gray(bits, white_is_zero=False):
    def make(rng):
        a = array(rng, 1, 16, tiff_size(rng))[..., 0] >> (16 - bits)
        options = some_layout(rng)
        options["photometric"] = "miniswhite" if white_is_zero else "minisblack"
        if bits < 8 or bits == 12:
            options.pop("predictor", None)
            options["compression"] = None
            options["bitspersample"] = bits
        if bits == 12:  # tifffile packs big-endian ones wrongly
            options["byteorder"] = "<"
        file = tiff(a.astype(np.uint8 if bits <= 8 else np.uint16), **options)
        if bits <= 8:
            wide = a * (255 // (2**bits - 1))
        else:
            wide = a >> (bits - 8)
        wanted = gray_rgb(255 - wide if white_is_zero else wide)
        # Of more than 8 bits Pillow clips, and does not invert some.
        return file, wanted
    return make


def tiff_color(channels, bits=8, photometric="rgb", extra=None, planes=False):
    def make(rng):
        a = array(rng, channels, bits, tiff_size(rng))
        options = some_layout(rng)
        if extra is not None:
            options["extrasamples"] = extra
        wanted = None
        if planes:
            if bits == 16 and options["compression"] is None:
                wanted = (a >> 8).astype(np.uint8)  # Pillow takes each byte for a sample
            a = np.ascontiguousarray(np.moveaxis(a, -1, 0))
            options["planarconfig"] = "separate"
        options["photometric"] = photometric
        file = tiff(a, **options)
        return file, tiff_wanted(file, a, **options) if wanted is None else wanted
    return make


def tiff_palette(rng):
    a = array(rng, 1, size=tiff_size(rng))[..., 0]
    options = some_layout(rng)
    options.pop("predictor", None)
    options |= {"photometric": "palette", "colormap": rng.integers(0, 65536, (3, 256), dtype=np.uint16)}
    file = tiff(a, **options)
    return file, tiff_wanted(file, a, **options)


def tiff_oriented(orientation):
    def make(rng):
        kind = int(rng.integers(3))
        if kind == 0:
            a, options = array(rng, size=tiff_size(rng)), some_layout(rng)
            options |= {"photometric": "rgb", "orientation": orientation}
            file = tiff(a, **options)
            return file, tiff_wanted(file, a, **options)
        image = pil(array(rng))
        info = {274: orientation}
        if kind == 1:
            return saved(image, "TIFF", compression="jpeg", tiffinfo=info), PILLOW
        return saved(image.convert("P"), "TIFF", compression="tiff_lzw", tiffinfo=info), PILLOW
    return make


def tiff_pillow(mode, compression):
    def make(rng):
        image = pil(array(rng, 4, size=(int(rng.integers(2, most)), int(rng.integers(2, most))))).convert("RGB")
        return saved(image.convert(mode), "TIFF", compression=compression), PILLOW
    return make


def tiff_kind(dtype, top):
    return lambda r: (tiff((r.random(tiff_size(r)[::-1]) * top).astype(dtype), photometric="minisblack"), REFUSED)


def tiff_variants():
    for bits in (1, 2, 4, 8, 12, 16):
        yield f"gray_{bits}", tiff_gray(bits)
        yield f"white_is_zero_{bits}", tiff_gray(bits, True)
    for bits in (8, 16):
        yield f"rgb_{bits}", tiff_color(3, bits)
        yield f"rgb_planes_{bits}", tiff_color(3, bits, planes=True)
        for name, extra in (("unspecified", 0), ("multiplied", 1), ("alpha", 2)):
            yield f"rgb_{name}_{bits}", tiff_color(4, bits, extra=[extra])
        yield f"cmyk_{bits}", tiff_color(4, bits, "separated")
    yield "rgb_planes_alpha", tiff_color(4, extra=[2], planes=True)
    yield "rgb_planes_multiplied", tiff_color(4, extra=[1], planes=True)
    yield "rgb_two_extra", tiff_color(5, extra=[2, 0])
    yield "gray_alpha", tiff_color(2, photometric="minisblack", extra=[2])
    yield "palette", tiff_palette
    for orientation in range(1, 9):
        yield f"orientation_{orientation}", tiff_oriented(orientation)
    for compression in ("group3", "group4", "tiff_ccitt", "raw", "tiff_lzw", "packbits"):
        yield f"pillow_1_{compression}", tiff_pillow("1", compression)
    for mode in ("L", "RGB", "CMYK", "YCbCr", "P", "RGBA", "LA"):
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            yield f"pillow_{mode}_{compression}", tiff_pillow(mode, compression)
    for mode in ("L", "RGB", "YCbCr", "CMYK"):
        yield f"pillow_{mode}_jpeg", tiff_pillow(mode, "jpeg")
    yield "opencv_bgr", lambda r: (cv_saved(array(r), ".tiff"), PILLOW)
    yield "opencv_bgr16", lambda r: (cv_saved(array(r, 3, 16), ".tiff"), PILLOW)
    yield "opencv_deflate", lambda r: (cv_saved(array(r), ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, 32946), PILLOW)
    yield "float", tiff_kind(np.float32, 1)
    yield "signed_16", tiff_kind(np.int16, 99)
    yield "unsigned_32", tiff_kind(np.uint32, 99)
    yield "lab", lambda r: (saved(Image.new("LAB", size_of(r)), "TIFF"), REFUSED)
    yield "camera_raw", lambda r: (tiff(array(r, size=tiff_size(r)), photometric="rgb", extratags=[(50706, 1, 4, (1, 4, 0, 0), True)]), REFUSED)


def variants():
    return {"bmp": list(bmp_variants()), "png": list(png_variants()), "pnm": list(pnm_variants()),
            "webp": list(webp_variants()), "jpeg": list(jpeg_variants()), "tiff": list(tiff_variants())}
