"""Write runtime/oci/facts/syscalls.json, the system call numbers of amd64 and arm64, from the kernel's headers.

Run on a Debian machine with linux-libc-dev; calls newer than its headers are added below, where both agree.
"""

import json
import re
import subprocess
from pathlib import Path

OUT = Path(__file__).parent.parent / "src/pybernetes/runtime/oci/facts/syscalls.json"
SOURCES = {
    "x86_64": "#include <asm/unistd_64.h>",
    "aarch64": "#define __ARCH_WANT_RENAMEAT\n#define __ARCH_WANT_NEW_STAT\n#define __ARCH_WANT_SET_GET_RLIMIT\n"
    "#define __ARCH_WANT_SYS_CLONE3\n#define __ARCH_WANT_MEMFD_SECRET\n#define __BITS_PER_LONG 64\n"
    "#include <asm-generic/unistd.h>",
}
_NEWER = """
cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr
lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr
"""
NEWER = _NEWER.split()
FIRST_NEWER = 451
ONLY_AMD64 = {"uretprobe": 335}


def numbers(source: str) -> dict[str, int]:
    """What the preprocessor knows after `source`, resolved to numbers."""
    defines = subprocess.run(
        ["cc", "-E", "-dM", "-xc", "-"], input=source, capture_output=True, text=True, check=True
    ).stdout
    raw = dict(re.findall(r"#define (__NR\w*) (\S+)", defines))
    found = {}
    for name, value in raw.items():
        while value in raw:
            value = raw[value]
        if value.isdecimal() and name.startswith("__NR_") and name != "__NR_syscalls":
            found[name.removeprefix("__NR_")] = int(value)
    return found | {name: FIRST_NEWER + offset for offset, name in enumerate(NEWER)}


def main() -> None:
    tables = {arch: dict(sorted(numbers(source).items())) for arch, source in SOURCES.items()}
    tables["x86_64"] |= ONLY_AMD64
    OUT.write_text(json.dumps(tables, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
