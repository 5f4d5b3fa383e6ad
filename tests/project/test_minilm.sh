#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# samples/minilm cuts sentences into BERT's word pieces, embeds them as PyTorch does, and refuses what
# is no model. The embeddings need the model: GENESIS_MINILM names a folder that download.sh made.
set -u
cd "$top_builddir" || exit 99
program=samples/minilm/minilm
expected=$top_srcdir/tests/fixtures/minilm.txt
device=cpu
[ -e backends/cpu/.libs/genesis_cpu.so ] || device=ref
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
failed=0

GENESIS_DEVICE=$device
GENESIS_PLUGIN_PATH=$top_builddir/backends/cpu/.libs:$top_builddir/plugins/ref/.libs
# intercept_tls_get_addr: LeakSanitizer misreads the TLS of threads of libraries opened by dlopen.
ASAN_OPTIONS=detect_leaks=1:intercept_tls_get_addr=0
LSAN_OPTIONS=suppressions=$top_srcdir/tests/lsan.supp:print_suppressions=0
export GENESIS_DEVICE GENESIS_PLUGIN_PATH ASAN_OPTIONS LSAN_OPTIONS

fail() {
    echo "FAIL: $*"
    failed=1
}

# pieces SENTENCE EXPECTED: with the small vocabulary, without the numbers
pieces() {
    got=$(./$program --model "$scratch" --tokens -- "$1" | sed 's,/[0-9]*,,g')
    [ "$got" = "[CLS] $2 [SEP]" ] || fail "\"$1\" is cut into $got"
}

# refused STATUS WORDS ARGUMENT..: it exits with STATUS and says WORDS
refused() {
    status=$1 words=$2
    shift 2
    message=$(./$program "$@" 2>&1 >/dev/null)
    got=$?
    [ $got -eq "$status" ] || fail "$* exits with $got, not $status"
    case $message in
    *"$words"*) ;;
    *) fail "$* says: $message" ;;
    esac
}

cat >"$scratch/vocab.txt" <<'EOF'
[PAD]
[UNK]
[CLS]
[SEP]
token
##izer
##s
cafe
,
我
愛
ᄒ
##ᅡ
##ᆫ
σοφια
EOF
pieces 'Tokenizers' 'token ##izer ##s'
pieces '	TOKEN
token ' 'token token'
pieces 'café,CAFÉ' 'cafe , cafe'
pieces 'cafe'"$(printf '\314\201')" 'cafe' # a letter and its accent
pieces '我愛' '我 愛'
pieces '한' 'ᄒ ##ᅡ ##ᆫ'
pieces 'ΣΟΦΊΑ' 'σοφια'
pieces 'tokenx sizer ,' '[UNK] [UNK] ,'
pieces "to$(printf '\001\302\255')ken$(printf '\377\340\200\200')" 'token' # controls, invalid bytes
pieces "$(printf 'token%.0s' $(seq 21))" '[UNK]'                          # more than 100 letters
long=$(./$program --model "$scratch" --tokens "$(printf 'token %.0s' $(seq 300))" | wc -w)
[ "$long" -eq 256 ] || fail "a long sentence has $long tokens"

refused 2 'what are the sentences'
refused 2 'Try' --wrong
refused 1 'vocab.txt' --model "$scratch/absent" token
refused 1 'model.safetensors' --model "$scratch" token
refused 1 'no_such_device' --model "$scratch" --device no_such_device token
head -c 1000 /dev/zero >"$scratch/model.safetensors"
refused 1 'model.safetensors' --model "$scratch" token
echo token >"$scratch/vocab.txt"
refused 1 'is no vocabulary' --model "$scratch" --tokens token

# same LINE OPTION: what the program prints for each expected sentence is that line of it, to 1e-5
same() {
    ./$program "$2" -- "$(sed -n 1p "$expected")" "$(sed -n 4p "$expected")" \
        "$(sed -n 7p "$expected")" | sed 's,[^ ]*/,,g' >"$scratch/actual"
    awk -v line="$1" 'NR % 3 == line % 3' "$expected" | awk -v actual="$scratch/actual" '
        { n = split($0, want); getline text <actual
          wrong = wrong || split(text, got) != n
          for (i = 1; i <= n; i++) {
              error = want[i] > got[i] ? want[i] - got[i] : got[i] - want[i]
              largest = error > largest ? error : largest
          }
        }
        END { print "largest difference:", largest + 0; exit wrong || NR != 3 || !(largest <= 1e-5) }' ||
        fail "$2 differs from PyTorch"
}

if [ $failed -eq 0 ] && [ ! -e "${GENESIS_MINILM-}/model.safetensors" ]; then
    echo "SKIP: embeddings: GENESIS_MINILM names no folder that samples/minilm/download.sh made"
    exit 77
fi
if [ $failed -eq 0 ]; then
    same 2 --tokens
    same 3 --embeddings
fi
exit $failed
