/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracles/decode_case.h"
#include "tests/oracles/decode_rules.h"
#include "tests/oracles/decode_streams.h"

/*
 * Compares x86/decode.c with two other decoders, Zydis and Capstone, over millions of byte
 * strings. Where one of them differs from ours, a rule of tests/oracles/decode_rules.h must
 * say what the manual says, or the difference is unexplained and the program fails.
 *
 *	decode_oracle [-v] [random cases [seed]]
 */

#define RANDOM_CASES  2000000ul
#define RANDOM_SEED   20240229ull
#define EXAMPLES_MAX  100000
#define CAPSTONE_EACH 5 /* Capstone is slow: it sees one case of so many */

static ZydisDecoder zydis_decoders[4];
static csh capstones[4];
static cs_insn *capstone_insn;

static unsigned long cases, differences, unexplained, capstone_cases;
static unsigned long by_rule[DECODE_RULES];
static bool examples_shown[1 << 20];
static unsigned int examples;

/* ---- the oracles ------------------------------------------------------------------ */

static void start_oracles(void)
{
	static const ZydisMachineMode machine[4] = { ZYDIS_MACHINE_MODE_LEGACY_16,
						     ZYDIS_MACHINE_MODE_LEGACY_32,
						     ZYDIS_MACHINE_MODE_LONG_64,
						     ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stack[4] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
						  ZYDIS_STACK_WIDTH_64, ZYDIS_STACK_WIDTH_64 };
	static const cs_mode modes[4] = { CS_MODE_16, CS_MODE_32, CS_MODE_64, CS_MODE_64 };

	for (int i = 0; i < 4; i++) {
		if (ZYAN_FAILED(ZydisDecoderInit(&zydis_decoders[i], machine[i], stack[i])) ||
		    cs_open(CS_ARCH_X86, modes[i], &capstones[i]) != CS_ERR_OK) {
			fprintf(stderr, "decode_oracle: the oracles do not start\n");
			exit(2);
		}
	}
	if (ZYAN_FAILED(ZydisDecoderEnableMode(&zydis_decoders[DECODE_MODE_64_AMD],
					       ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE))) {
		fprintf(stderr, "decode_oracle: Zydis has no AMD branches\n");
		exit(2);
	}
	capstone_insn = cs_malloc(capstones[0]);
}

static void stop_oracles(void)
{
	cs_free(capstone_insn, 1);
	for (int i = 0; i < 4; i++)
		cs_close(&capstones[i]);
}

static void ask_zydis(struct decode_case *one)
{
	struct verdict *verdict = &one->verdicts[ORACLE_ZYDIS];
	ZydisDecoderContext context;

	one->decoder = &zydis_decoders[one->mode];
	verdict->status = ZydisDecoderDecodeInstruction(one->decoder, &context, one->bytes,
							CASE_BYTES, &one->zydis);
	verdict->valid = ZYAN_SUCCESS(verdict->status);
	verdict->length = verdict->valid ? one->zydis.length : 0;
	if (verdict->valid && one->status == DECODE_OK && one->ours.has_memory &&
	    ZYAN_FAILED(ZydisDecoderDecodeOperands(one->decoder, &context, &one->zydis,
						   one->operands, one->zydis.operand_count)))
		verdict->valid = false;
}

static void ask_capstone(struct decode_case *one)
{
	struct verdict *verdict = &one->verdicts[ORACLE_CAPSTONE];
	const uint8_t *at = one->bytes;
	size_t size = CASE_BYTES;
	uint64_t address = 0;

	verdict->valid = cs_disasm_iter(capstones[one->mode], &at, &size, &address, capstone_insn);
	verdict->length = verdict->valid ? capstone_insn->size : 0;
}

/* ---- what differs ----------------------------------------------------------------- */

static bool modrm_differs(const struct instruction *ours, const ZydisDecodedInstruction *zydis)
{
	bool theirs = zydis->attributes & ZYDIS_ATTRIB_HAS_MODRM;

	if (ours->has_modrm != theirs)
		return true;
	return theirs && ours->modrm != (zydis->raw.modrm.mod << 6 | zydis->raw.modrm.reg << 3 |
					 zydis->raw.modrm.rm);
}

static bool number_differs(int64_t ours, unsigned int size, uint64_t theirs, unsigned int bits)
{
	uint64_t mask = size < 8 ? (1ull << (8 * size)) - 1 : ~0ull;

	return size * 8 != bits || (((uint64_t)ours ^ theirs) & mask) != 0;
}

static const ZydisDecodedOperandMem *memory_operand(const struct decode_case *one)
{
	for (int i = 0; i < one->zydis.operand_count; i++) {
		const ZydisDecodedOperand *operand = &one->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    operand->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			return &operand->mem;
	}
	return NULL;
}

static unsigned int register_number(ZydisRegister name)
{
	if (name == ZYDIS_REGISTER_NONE)
		return GPR_NONE;
	if (name == ZYDIS_REGISTER_RIP || name == ZYDIS_REGISTER_EIP)
		return GPR_RIP;
	return (unsigned int)ZydisRegisterGetId(name);
}

static const char *memory_differs(const struct decode_case *one)
{
	const ZydisDecodedOperandMem *memory = memory_operand(one);
	const struct instruction *ours = &one->ours;

	if (!memory)
		return NULL;
	if (ours->segment != (unsigned int)ZydisRegisterGetId(memory->segment) &&
	    memory->segment != ZYDIS_REGISTER_NONE)
		return "segment";
	if (ours->base != register_number(memory->base))
		return "base";
	if (ours->index != register_number(memory->index))
		return "index";
	if (ours->index != GPR_NONE && ours->scale != memory->scale)
		return "scale";
	if (ours->displacement_size != 8 && ours->base != GPR_NONE &&
	    ours->displacement != memory->disp.value)
		return "displacement's value";
	return NULL;
}

/* Not on bytes, not on vectors, and not where 66 is a mandatory prefix. */
static bool operand_size_counts(const ZydisDecodedInstruction *zydis)
{
	if (zydis->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || zydis->operand_width == 8)
		return false;
	for (int i = 0; i < zydis->raw.prefix_count; i++)
		if (zydis->raw.prefixes[i].value == 0x66 &&
		    zydis->raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_MANDATORY)
			return false;
	return true;
}

/* The first field in which our instruction is another than Zydis's. */
static const char *field_that_differs(const struct decode_case *one)
{
	const struct instruction *ours = &one->ours;
	const ZydisDecodedInstruction *zydis = &one->zydis;
	bool suffix = ours->map == OPCODE_MAP_3DNOW;

	if (ours->encoding != (zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW ? ENCODING_LEGACY
			       : zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY
				       ? ENCODING_LEGACY
			       : zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_XOP ? ENCODING_XOP
			       : zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ? ENCODING_VEX
										   : ENCODING_EVEX))
		return "encoding";
	if (modrm_differs(ours, zydis))
		return "ModRM";
	if (!suffix && ours->opcode != zydis->opcode)
		return "opcode";
	if (number_differs(ours->displacement / ours->disp8_scale, ours->displacement_size,
			   (uint64_t)zydis->raw.disp.value, zydis->raw.disp.size))
		return "displacement";
	if (number_differs(ours->immediate, ours->immediate_size, zydis->raw.imm[0].value.u,
			   zydis->raw.imm[0].size))
		return "immediate";
	if (number_differs(ours->immediate2, ours->immediate2_size, zydis->raw.imm[1].value.u,
			   zydis->raw.imm[1].size))
		return "second immediate";
	if (ours->address_size * 8 != zydis->address_width)
		return "address size";
	if (operand_size_counts(zydis) && ours->operand_size * 8 != zydis->operand_width)
		return "operand size";
	if (ours->prefixes & PREFIX_LOCK && !ours->lockable)
		return "lockable";
	return ours->has_memory ? memory_differs(one) : NULL;
}

static enum difference differs(struct decode_case *one, enum oracle oracle)
{
	const struct verdict *verdict = &one->verdicts[oracle];
	bool valid = one->status == DECODE_OK;

	if (valid != verdict->valid)
		return valid ? DIFFERS_VALID_HERE : DIFFERS_VALID_THERE;
	if (!valid)
		return DIFFERS_NOT;
	if (verdict->length != one->ours.length)
		return DIFFERS_LENGTH;
	one->field = oracle == ORACLE_ZYDIS ? field_that_differs(one) : NULL;
	return one->field ? DIFFERS_FIELD : DIFFERS_NOT;
}

/* ---- a case ----------------------------------------------------------------------- */

/* A number for differences that are alike: the same opcode, prefix, reg and mod. */
static unsigned int kind_of(const struct decode_case *one, enum oracle oracle,
			    enum difference difference)
{
	const struct instruction *ours = &one->ours;
	uint64_t kind = ours->opcode;

	kind = kind << 5 | (ours->map & 31);
	kind = kind << 2 | ours->encoding;
	kind = kind << 2 | ours->mandatory_prefix;
	kind = kind << 2 | oracle;
	kind = kind << 3 | difference;
	if (ours->encoding == ENCODING_LEGACY)
		kind = kind << 5 | (ours->modrm >> 3 & 7) | (ours->mod == 3 ? 8 : 0);
	return (unsigned int)(kind * 0x9e3779b97f4a7c15ull >> 44);
}

static void show(const struct decode_case *one, enum oracle oracle, enum difference difference)
{
	static const char *const mode_names[] = { "16", "32", "64", "64 AMD" };
	static const char *const status_names[] = { "valid", "truncated", "undefined", "too long" };
	static const char *const encoding_names[] = { "legacy", "VEX", "EVEX", "XOP" };
	static const char *const oracle_names[] = { "Zydis", "Capstone" };
	const struct instruction *ours = &one->ours;
	const struct verdict *verdict = &one->verdicts[oracle];
	bool *shown = &examples_shown[kind_of(one, oracle, difference)];

	if (*shown || examples == EXAMPLES_MAX)
		return;
	*shown = true;
	examples++;
	printf("mode %s, %s map %u opcode %02x column %u:", mode_names[one->mode],
	       encoding_names[ours->encoding], ours->map, ours->opcode, ours->mandatory_prefix);
	for (int i = 0; i < CASE_BYTES; i++)
		printf(" %02x", one->bytes[i]);
	printf(": %s, %u bytes; %s: %s, %u bytes", status_names[one->status], ours->length,
	       oracle_names[oracle], verdict->valid ? "valid" : "undefined", verdict->length);
	if (oracle == ORACLE_ZYDIS && verdict->valid)
		printf(", %s", ZydisMnemonicGetString(one->zydis.mnemonic));
	if (oracle == ORACLE_ZYDIS && !verdict->valid)
		printf(" (status %x)", (unsigned int)ZYAN_STATUS_CODE(verdict->status));
	if (oracle == ORACLE_CAPSTONE && verdict->valid)
		printf(", %s %s", capstone_insn->mnemonic, capstone_insn->op_str);
	if (difference == DIFFERS_FIELD)
		printf("; another %s", one->field);
	printf("\n");
}

/* Counts what differs, if a rule says why or not; false if none does. */
static bool judge(struct decode_case *one, enum oracle oracle)
{
	enum difference difference = differs(one, oracle);

	if (oracle == ORACLE_ZYDIS)
		one->zydis_differs = difference;
	if (difference == DIFFERS_NOT)
		return true;
	for (unsigned int i = 0; i < DECODE_RULES; i++) {
		const struct decode_rule *rule = &decode_rules[i];

		if (rule->oracle == oracle && rule->difference == difference &&
		    rule->applies(one)) {
			by_rule[i]++;
			differences++;
			return true;
		}
	}
	unexplained++;
	show(one, oracle, difference);
	return false;
}

static void check(enum decode_mode mode, const uint8_t bytes[CASE_BYTES])
{
	struct decode_case one = { .mode = mode };

	memcpy(one.bytes, bytes, CASE_BYTES);
	one.status = decode(&one.ours, mode, bytes, CASE_BYTES);
	cases++;
	ask_zydis(&one);
	if (judge(&one, ORACLE_ZYDIS) && cases % CAPSTONE_EACH == 0) {
		capstone_cases++;
		ask_capstone(&one);
		judge(&one, ORACLE_CAPSTONE);
	}
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	unsigned long count = argc > 1 + verbose ? strtoul(argv[1 + verbose], NULL, 0)
						 : RANDOM_CASES;
	uint64_t seed = argc > 2 + verbose ? strtoull(argv[2 + verbose], NULL, 0) : RANDOM_SEED;

	start_oracles();
	exhaustive(check);
	by_chance(check, seed, count);
	stop_oracles();
	for (unsigned int i = 0; i < DECODE_RULES && verbose; i++)
		printf("%9lu  %s: %s\n", by_rule[i], decode_rules[i].name, decode_rules[i].reason);
	printf("%lu cases, %lu of them also with Capstone, seed %" PRIu64 "\n", cases,
	       capstone_cases, seed);
	printf("%lu cases, %lu differences explained, %lu unexplained\n", cases, differences,
	       unexplained);
	return unexplained != 0;
}
