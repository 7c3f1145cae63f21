/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The payload's whole C library: printing, checks, the command line, the way out.
 */

#include "tests/guests/lib/guest.h"

#include <stdarg.h>

#define COMMAND_LINE_MAX 512

/* Multiboot 0.6.96, 3.3: what we read of the information. */
struct multiboot_information {
	uint32_t flags, memory_lower, memory_upper, boot_device, command_line;
};

#define MULTIBOOT_FLAG_COMMAND_LINE (1u << 2)

extern uint32_t multiboot_information;

static char command_line[COMMAND_LINE_MAX];
static unsigned int checks, failures;

/* ---- memory ---------------------------------------------------------------- */

void *memset(void *to, int byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile uint8_t *)to)[i] = (uint8_t)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *left = a, *right = b;

	for (size_t i = 0; i < size; i++) {
		if (left[i] != right[i])
			return left[i] - right[i];
	}
	return 0;
}

/* ---- printing -------------------------------------------------------------- */

static void say_character(char character)
{
	out8(PORT_DEBUG_CONSOLE, (uint8_t)character);
}

static void say_string(const char *string)
{
	while (*string)
		say_character(*string++);
}

static void say_number(uint64_t value, unsigned int base)
{
	char digits[20];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		say_character(digits[--count]);
}

static void say_arguments(const char *format, va_list arguments)
{
	for (; *format; format++) {
		bool wide = false;

		if (*format != '%') {
			say_character(*format);
			continue;
		}
		if (*++format == 'l') {
			wide = true;
			format++;
		}
		switch (*format) {
		case 's':
			say_string(va_arg(arguments, const char *));
			break;
		case 'c':
			say_character((char)va_arg(arguments, int));
			break;
		case 'u':
		case 'x':
			say_number(wide ? va_arg(arguments, unsigned long)
					: va_arg(arguments, unsigned int),
				   *format == 'u' ? 10 : 16);
			break;
		default:
			say_character(*format);
		}
	}
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_arguments(format, arguments);
	va_end(arguments);
}

/* ---- checks ---------------------------------------------------------------- */

bool check(bool held, const char *name)
{
	failures += !held;
	say("%s %u %s\n", held ? "ok" : "not ok", ++checks, name);
	return held;
}

bool check_equal(uint64_t got, uint64_t want, const char *name)
{
	if (got != want)
		say("# %s: got 0x%lx, want 0x%lx\n", name, got, want);
	return check(got == want, name);
}

_Noreturn void finish(int status)
{
	for (;;)
		out8(PORT_DEBUG_EXIT, (uint8_t)status);
}

/* ---- the command line ------------------------------------------------------ */

/* What stands behind the word @name in the command line: "" or "=..."; NULL without it. */
static const char *option_find(const char *name)
{
	const char *word = command_line;

	while (*word) {
		const char *at = word, *letter = name;

		while (*letter && *at == *letter) {
			at++;
			letter++;
		}
		if (!*letter && (*at == '\0' || *at == ' ' || *at == '='))
			return at;
		while (*word && *word != ' ')
			word++;
		while (*word == ' ')
			word++;
	}
	return NULL;
}

bool option_given(const char *name)
{
	return option_find(name) != NULL;
}

uint64_t option(const char *name, uint64_t otherwise)
{
	const char *at = option_find(name);
	uint64_t value = 0;

	if (!at || *at != '=')
		return otherwise;
	for (at++; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value;
}

/* Called by start.S. The command line is copied first: payloads write over low memory. */
_Noreturn void guest_main(void);
_Noreturn void guest_main(void)
{
	const struct multiboot_information *information =
		(const void *)(uintptr_t)multiboot_information;
	int status;

	if (information->flags & MULTIBOOT_FLAG_COMMAND_LINE) {
		const char *from = (const char *)(uintptr_t)information->command_line;

		for (unsigned int i = 0; i < COMMAND_LINE_MAX - 1 && from[i]; i++)
			command_line[i] = from[i];
	}
	status = main();
	if (checks)
		say("1..%u\n", checks);
	finish(status ? status : failures != 0);
}
