/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/cpu_policy.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vmm/cpu_template.h"

/*
 * Reads the text of --cpu, item by item. A feature that nobody knows does not end the
 * reading: all of them come in one message, each with the name that is nearest.
 */

struct parser {
	struct cpu_policy *policy;
	char *error;
	size_t size;
	char unknown[256]; /* the features that nobody knows */
};

struct item {
	const char *text;
	size_t length;
};

static int __attribute__((format(printf, 2, 3)))
fail(struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parser->error, parser->size, format, arguments);
	va_end(arguments);
	/* What the user wrote is quoted, and the message shall stay one line. */
	for (size_t i = 0; i < parser->size && parser->error[i]; i++)
		if (iscntrl((unsigned char)parser->error[i]))
			parser->error[i] = '?';
	return -EINVAL;
}

/* For "%.*s": the text is the user's and may be long. */
static int shown(size_t length)
{
	return length < 64 ? (int)length : 64;
}

static bool starts_with(const struct item *item, const char *prefix)
{
	size_t length = strlen(prefix);

	return item->length >= length && !memcmp(item->text, prefix, length);
}

/* The characters up to the next comma that is not between double quotes. */
static size_t item_length(const char *text)
{
	bool quoted = false;
	size_t length = 0;

	for (; text[length] && (quoted || text[length] != ','); length++)
		if (text[length] == '"')
			quoted = !quoted;
	return length;
}

static int add_rule(struct parser *parser, const struct cpu_rule *rule)
{
	struct cpu_policy *policy = parser->policy;

	if (policy->rule_count == CPU_POLICY_RULES_MAX)
		return fail(parser, "more than %d changes", CPU_POLICY_RULES_MAX);
	policy->rules[policy->rule_count++] = *rule;
	return 0;
}

static void note_unknown(struct parser *parser, const struct item *name)
{
	const struct cpuid_feature *near = cpuid_feature_nearest(name->text, name->length);
	size_t used = strlen(parser->unknown);

	snprintf(parser->unknown + used, sizeof(parser->unknown) - used, "%s'%.*s'%s%s%s",
		 used ? ", " : "", shown(name->length), name->text, near ? " (did you mean " : "",
		 near ? near->name : "", near ? "?)" : "");
}

/* +feature, +feature?, -feature */
static int parse_feature(struct parser *parser, const struct item *item)
{
	struct item name = { item->text + 1, item->length - 1 };
	bool adds = item->text[0] == '+';
	bool if_offered = name.length && name.text[name.length - 1] == '?';

	if (if_offered)
		name.length--;
	if (!name.length)
		return fail(parser, "'%c' without a feature behind it", item->text[0]);
	if (if_offered && !adds)
		return fail(
			parser,
			"-%.*s?: only what is added can be doubtful; leave the question mark out",
			shown(name.length), name.text);

	const struct cpuid_feature *feature = cpuid_feature_find(name.text, name.length);
	if (!feature) {
		note_unknown(parser, &name);
		return 0;
	}

	const uint32_t mask = 1u << feature->bit;
	const struct cpu_rule rule = {
		.kind = !adds	     ? CPU_RULE_REMOVE
			: if_offered ? CPU_RULE_ADD_IF_OFFERED
				     : CPU_RULE_ADD,
		.feature = feature,
		.leaf = feature->leaf,
		.subleaf = feature->subleaf,
		.reg = (enum cpuid_register)feature->reg,
		.value = adds ? mask : 0,
		.mask = mask,
	};
	return add_rule(parser, &rule);
}

/* A number in decimal, or hexadecimal behind 0x, of 32 bits; moves @text behind it. */
static bool take_number(struct item *text, uint32_t *number)
{
	uint64_t value = 0;
	unsigned int base = 10;
	size_t digits = 0;

	if (starts_with(text, "0x") || starts_with(text, "0X")) {
		base = 16;
		text->text += 2;
		text->length -= 2;
	}
	for (; text->length && isxdigit((unsigned char)*text->text); text->text++, text->length--) {
		unsigned char c = (unsigned char)tolower((unsigned char)*text->text);
		unsigned int digit = c - (isdigit(c) ? '0' : 'a' - 10u);

		if (digit >= base)
			return false;
		value = value * base + digit;
		if (value > UINT32_MAX)
			return false;
		digits++;
	}
	*number = (uint32_t)value;
	return digits > 0;
}

static bool take(struct item *text, char c)
{
	if (!text->length || *text->text != c)
		return false;
	text->text++;
	text->length--;
	return true;
}

static bool take_register(struct item *text, enum cpuid_register *reg)
{
	for (int i = 0; i < CPUID_REGISTER_COUNT; i++) {
		const char *name = cpuid_register_name((enum cpuid_register)i);

		if (text->length >= 3 && !strncasecmp(text->text, name, 3)) {
			*reg = (enum cpuid_register)i;
			text->text += 3;
			text->length -= 3;
			return true;
		}
	}
	return false;
}

/* leaf:subleaf:register=value[/mask] */
static int parse_register(struct parser *parser, const struct item *item)
{
	struct item rest = *item;
	struct cpu_rule rule = { .kind = CPU_RULE_SET, .mask = UINT32_MAX };
	bool good = take_number(&rest, &rule.leaf) && take(&rest, ':') &&
		    take_number(&rest, &rule.subleaf) && take(&rest, ':') &&
		    take_register(&rest, &rule.reg) && take(&rest, '=') &&
		    take_number(&rest, &rule.value);

	if (good && take(&rest, '/'))
		good = take_number(&rest, &rule.mask);
	if (!good || rest.length)
		return fail(parser,
			    "'%.*s': a register is set by LEAF:SUBLEAF:REGISTER=VALUE[/MASK], "
			    "such as 0x7:0:ebx=0/0x20, in numbers of 32 bits",
			    shown(item->length), item->text);
	if (rule.value & ~rule.mask)
		return fail(parser, "'%.*s': the value has bits that its mask leaves out",
			    shown(item->length), item->text);
	return add_rule(parser, &rule);
}

/* What stands behind the '=', without its quotes; false where they do not match. */
static bool value_of(const struct item *item, struct item *value)
{
	const char *equals = memchr(item->text, '=', item->length);

	value->text = equals + 1;
	value->length = item->length - (size_t)(value->text - item->text);
	if (value->length && value->text[0] == '"') {
		if (value->length < 2 || value->text[value->length - 1] != '"')
			return false;
		value->text++;
		value->length -= 2;
	}
	for (size_t i = 0; i < value->length; i++)
		if (!isprint((unsigned char)value->text[i]) || value->text[i] == '"')
			return false;
	return true;
}

static int parse_vendor(struct parser *parser, const struct item *item)
{
	struct item value;

	if (!value_of(item, &value) || value.length != CPU_VENDOR_SIZE)
		return fail(parser,
			    "'%.*s': a vendor is %d printable characters, such as GenuineIntel",
			    shown(item->length), item->text, CPU_VENDOR_SIZE);
	memcpy(parser->policy->vendor, value.text, CPU_VENDOR_SIZE);
	parser->policy->vendor[CPU_VENDOR_SIZE] = '\0';
	parser->policy->has_vendor = true;
	return 0;
}

static int parse_brand(struct parser *parser, const struct item *item)
{
	struct item value;

	if (!value_of(item, &value) || value.length >= CPU_BRAND_SIZE)
		return fail(parser,
			    "'%.*s': a brand is at most %d printable characters, in double quotes "
			    "where it holds a comma",
			    shown(item->length), item->text, CPU_BRAND_SIZE - 1);
	memset(parser->policy->brand, 0, CPU_BRAND_SIZE);
	memcpy(parser->policy->brand, value.text, value.length);
	parser->policy->has_brand = true;
	return 0;
}

static int parse_template(struct parser *parser, const struct item *item, bool first)
{
	enum cpu_template template = cpu_template_find(item->text, item->length);
	char names[128] = "";

	for (int i = 0; i < CPU_TEMPLATE_COUNT; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
			 cpu_template_name((enum cpu_template)i));
	}
	if (template == CPU_TEMPLATE_COUNT)
		return fail(parser,
			    "'%.*s' is neither a template (%s) nor a change (+feature, -feature, "
			    "vendor=, brand=, leaf:subleaf:register=value)",
			    shown(item->length), item->text, names);
	if (!first)
		return fail(parser, "the template %s must stand first, before all changes",
			    cpu_template_name(template));
	parser->policy->template = template;
	return 0;
}

static int parse_item(struct parser *parser, const struct item *item, bool first)
{
	if (!item->length)
		return fail(parser, "an empty item: one comma too many");
	if (item->text[0] == '+' || item->text[0] == '-')
		return parse_feature(parser, item);
	if (starts_with(item, "vendor="))
		return parse_vendor(parser, item);
	if (starts_with(item, "brand="))
		return parse_brand(parser, item);
	if (isdigit((unsigned char)item->text[0]))
		return parse_register(parser, item);
	return parse_template(parser, item, first);
}

int cpu_policy_parse(const char *text, struct cpu_policy *policy, char *error, size_t size)
{
	struct parser parser = { .policy = policy, .error = error, .size = size };

	memset(policy, 0, sizeof(*policy));
	if (size)
		error[0] = '\0';
	if (!text || !*text)
		return 0;

	for (bool first = true;; first = false) {
		const struct item item = { text, item_length(text) };
		int result = parse_item(&parser, &item, first);

		if (result)
			return result;
		text += item.length;
		if (!*text)
			break;
		text++;
	}
	if (parser.unknown[0])
		return fail(&parser,
			    "no such feature: %s; 'hutch run --cpu help' lists those there are",
			    parser.unknown);
	return 0;
}
