#compdef alveary

# What the program offers. What can go on, as behind a colon or a slash, is followed by no space.
_alveary_offered() {
    local -a offered whole open
    local one value found=1
    offered=("${(@f)$(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) ALVEARY_COMPLETE=zsh \
            alveary -- "${words[@]}" 2>/dev/null
    )}")
    for one in $offered; do
        # Behind a colon stands what the word means; one that is part of it has a backslash.
        value=${one//\\:/$'\1'}
        if [[ ${value%%:*} == *[$'\1'=/] ]]; then
            open+=("$one")
        else
            whole+=("$one")
        fi
    done
    (( $#open )) && _describe -V values open -S '' && found=0
    (( $#whole )) && _describe -V values whole && found=0
    return found
}
compdef _alveary_offered alveary
# In a folder of `fpath` it is loaded when it is first asked, and has to answer that, too.
if [[ $funcstack[1] == _alveary ]]; then
    _alveary_offered "$@"
fi
