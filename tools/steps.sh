# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What quickstart and runtests have in common. Sourced by bash, in the top folder of the sources.

say() {
    printf '\n==> %s\n' "$*"
}

die() {
    printf '\n%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# what every build needs
build_packages=(gcc libc6-dev make autoconf automake libtool "pkgconf|pkg-config"
    "libdnnl-dev|libonednn-dev" libjansson-dev zlib1g-dev libpng-dev libjpeg-dev
    ocl-icd-opencl-dev libclblast-dev dataset-fashion-mnist)

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages NAME..: installs by apt what is missing. NAME may be a list of alternatives, a|b:
# one is enough, and the first that apt knows is installed.
install_packages() {
    local name alternative missing=() chosen=() root=()
    if ! command -v apt-get dpkg-query >/dev/null; then
        echo "There is no apt here. Make sure that the equivalents of these packages are installed:"
        echo "  $*"
        return
    fi
    for name in "$@"; do
        for alternative in ${name//|/ }; do
            installed "$alternative" && continue 2
        done
        missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        echo "All are installed."
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing, and neither root nor sudo is" \
            "at hand to install them; as root: apt-get install ${missing[*]%%|*}"
        root=(sudo)
    fi
    echo "Missing: ${missing[*]}"
    "${root[@]}" apt-get update -q || die "apt-get update failed"
    for name in "${missing[@]}"; do
        for alternative in ${name//|/ }; do
            if [ -n "$(apt-cache madison "$alternative" 2>/dev/null)" ]; then
                chosen+=("$alternative")
                continue 2
            fi
        done
        die "apt knows no package ${name//|/ or }; on Ubuntu, is the component 'universe' enabled?"
    done
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${chosen[@]}" || die "apt-get install failed"
}

# configure DIR [OPTION..]: makes the build folder DIR ready for make; again only where the options
# differ, or packages were installed since
configure() {
    local dir=$1
    shift
    [ -x configure ] || ./autogen.sh || die "autogen.sh failed"
    mkdir -p "$dir"
    if [ ! -x "$dir/config.status" ] || [ /var/lib/dpkg/status -nt "$dir/config.status" ] ||
        [ "$(cat "$dir/options" 2>/dev/null)" != "$*" ]; then
        (cd "$dir" && ../configure -q "$@") || die "configure failed; $dir/config.log has the details"
        echo "$*" >"$dir/options"
    fi
}
