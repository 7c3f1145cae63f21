# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Completion of hutch for bash. Source it, or install it as
# /usr/share/bash-completion/completions/hutch.
# shellcheck shell=bash

_hutch_run_options="--append --initrd --module --firmware --flat --kernel-cache --cpus --mem
	--cpu --irqchip --no-acpi --on-triple-fault --testdev --hypervisor --console
	--cpu-limit --mem-limit --grace --dry-run --stats --help"
_hutch_info_options="--json --hypervisor --help"

_hutch_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_hutch_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# The value of the option $1, of which $2 is there.
_hutch_value()
{
	case $1 in
	--cpu)
		_hutch_words "host minimal x86-64-v2 x86-64-v3 x86-64-v4 compat help" "$2" ;;
	--irqchip)
		_hutch_words "kernel user" "$2" ;;
	--on-triple-fault)
		_hutch_words "report reset" "$2" ;;
	--flat)
		_hutch_words "16 32 64" "$2" ;;
	--console)
		_hutch_words "stdio none file: pty" "$2"
		[[ ${COMPREPLY[*]} == file: ]] && compopt -o nospace 2>/dev/null ;;
	--kernel-cache)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W none -- "$2"; compgen -d -- "$2") ;;
	--initrd | -i | --module | --firmware | --hypervisor)
		_hutch_files "$2" ;;
	--append | -a | --cpus | -c | --mem | -m | --cpu-limit | --mem-limit | --grace)
		;;
	*)
		return 1 ;;
	esac
	return 0
}

_hutch()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	# bash cuts --option=value in three.
	if [[ $word == "=" ]]; then
		word=
	elif [[ $before == "=" ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if ((COMP_CWORD == 1)); then
		_hutch_words "run info --help --version" "$word"
		return
	fi
	case ${COMP_WORDS[1]} in
	run)
		_hutch_value "$before" "$word" && return
		if [[ $word == -* ]]; then
			_hutch_words "$_hutch_run_options" "$word"
		else
			_hutch_files "$word"
		fi ;;
	info)
		if [[ $before == --hypervisor ]]; then
			_hutch_files "$word"
		else
			_hutch_words "$_hutch_info_options" "$word"
		fi ;;
	esac
}

complete -F _hutch hutch
