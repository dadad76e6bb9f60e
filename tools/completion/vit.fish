# fish completion of vit: the program says what may come next, fish knows files.
function __vit_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l answer ($words[1] complete $words[2..] "$last" 2>/dev/null)
    if test "$answer" = ":paths"
        __fish_complete_path "$last"
    else
        printf '%s\n' $answer
    end
end
complete -c vit -f -a '(__vit_complete)'
