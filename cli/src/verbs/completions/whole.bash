
# Bash parts words at `=`, too. The program is given them whole, and bash what stands behind the sign.
_alveary_whole() {
    local whole=("$1") last at
    for ((at = 1; at <= COMP_CWORD; at++)); do
        last=${whole[-1]}
        if [[ $last == --*= || ($last == --* && ${COMP_WORDS[at]} == =) ]]; then
            whole[-1]+=${COMP_WORDS[at]}
        else
            whole+=("${COMP_WORDS[at]}")
        fi
    done
    local COMP_WORDS=("${whole[@]}") COMP_CWORD=$((${#whole[@]} - 1))
    _clap_complete_alveary "$1" "${whole[-1]}" "${whole[-2]}"
    if [[ ${whole[-1]} == --*=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#--*=}")
    fi
}
if [[ ${BASH_VERSINFO[0]} -gt 4 || (${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4) ]]; then
    complete -o nospace -o bashdefault -o nosort -F _alveary_whole alveary
else
    complete -o nospace -o bashdefault -F _alveary_whole alveary
fi
