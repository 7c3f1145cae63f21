# SPDX-License-Identifier: MIT OR GPL-2.0-only
# shellcheck shell=sh
#
# For the scripts beside it, which busybox runs in a bed: one TAP line for each check. Where
# the bed has no files of the host's, a word of the command that names this one brings it.

number=0
output=/tmp/output

# check NAME COMMAND...: the command succeeds; its output is shown where it does not.
check() {
	title=$1
	shift
	number=$((number + 1))
	if "$@" >$output 2>&1; then
		echo "ok $number $title"
	else
		echo "not ok $number $title"
		tail -n 20 $output | sed 's/^/# /'
	fi
}

# What the kernel complains of, if something broke: lines of its log, on standard input.
complaints() {
	grep -E 'BUG:|Oops|WARNING: CPU|general protection|unable to handle|hutch: broken'
}

# Since our module is there.
log_is_clean() {
	! dmesg | sed -n '/hutch: .*, on /,$p' | complaints
}
