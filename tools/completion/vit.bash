# bash completion of vit: the program says what may come next, bash knows files.
_vit() {
  local answer
  answer=$("${1/#\~/$HOME}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
  if [[ $answer == :paths ]]; then
    compopt -o default
    return
  fi
  local line
  while IFS= read -r line; do
    [[ -z $line ]] || COMPREPLY+=("${line%%$'\t'*}")
  done <<<"$answer"
}
complete -F _vit vit
