/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The bits of x86/registers.h by name, for people. */

#include "x86/register_names.h"
#include "x86/registers.h"

struct bit_name {
	uint64_t bit;
	const char *name;
};

#define BIT(reg, name)              \
	{                           \
		reg##_##name, #name \
	}

static const struct bit_name rflags_bits[] = {
	BIT(RFLAGS, CF), BIT(RFLAGS, PF),  BIT(RFLAGS, AF),  BIT(RFLAGS, ZF),
	BIT(RFLAGS, SF), BIT(RFLAGS, TF),  BIT(RFLAGS, IF),  BIT(RFLAGS, DF),
	BIT(RFLAGS, OF), BIT(RFLAGS, NT),  BIT(RFLAGS, RF),  BIT(RFLAGS, VM),
	BIT(RFLAGS, AC), BIT(RFLAGS, VIF), BIT(RFLAGS, VIP), BIT(RFLAGS, ID),
};

static const struct bit_name cr0_bits[] = {
	BIT(CR0, PE), BIT(CR0, MP), BIT(CR0, EM), BIT(CR0, TS), BIT(CR0, ET), BIT(CR0, NE),
	BIT(CR0, WP), BIT(CR0, AM), BIT(CR0, NW), BIT(CR0, CD), BIT(CR0, PG),
};

static const struct bit_name cr4_bits[] = {
	BIT(CR4, VME),	      BIT(CR4, PVI),   BIT(CR4, TSD),	  BIT(CR4, DE),	  BIT(CR4, PSE),
	BIT(CR4, PAE),	      BIT(CR4, MCE),   BIT(CR4, PGE),	  BIT(CR4, PCE),  BIT(CR4, OSFXSR),
	BIT(CR4, OSXMMEXCPT), BIT(CR4, UMIP),  BIT(CR4, LA57),	  BIT(CR4, VMXE), BIT(CR4, SMXE),
	BIT(CR4, FSGSBASE),   BIT(CR4, PCIDE), BIT(CR4, OSXSAVE), BIT(CR4, SMEP), BIT(CR4, SMAP),
	BIT(CR4, PKE),	      BIT(CR4, CET),   BIT(CR4, PKS),
};

static const struct bit_name efer_bits[] = {
	BIT(IA32_EFER, SCE), BIT(IA32_EFER, LME),  BIT(IA32_EFER, LMA),
	BIT(IA32_EFER, NXE), BIT(IA32_EFER, SVME),
};

/* Appends @name, with a blank before it, if all of it fits. */
static size_t append(char *buffer, size_t size, size_t used, const char *name)
{
	size_t length = 0, start = used;

	while (name[length])
		length++;
	if (used + (used != 0) + length >= size)
		return start;
	if (used)
		buffer[used++] = ' ';
	for (size_t i = 0; i < length; i++)
		buffer[used++] = name[i];
	return used;
}

static void names(const struct bit_name *bits, size_t count, uint64_t value, char *buffer,
		  size_t size)
{
	size_t used = 0;

	if (!size)
		return;
	for (size_t i = 0; i < count; i++)
		if (value & bits[i].bit)
			used = append(buffer, size, used, bits[i].name);
	buffer[used] = '\0';
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void rflags_names(uint64_t rflags, char *buffer, size_t size)
{
	names(rflags_bits, COUNT(rflags_bits), rflags, buffer, size);
}

void cr0_names(uint64_t cr0, char *buffer, size_t size)
{
	names(cr0_bits, COUNT(cr0_bits), cr0, buffer, size);
}

void cr4_names(uint64_t cr4, char *buffer, size_t size)
{
	names(cr4_bits, COUNT(cr4_bits), cr4, buffer, size);
}

void efer_names(uint64_t efer, char *buffer, size_t size)
{
	names(efer_bits, COUNT(efer_bits), efer, buffer, size);
}
