/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The assembly that enters and leaves the instruction under test, and the signal
 * handler that catches its faults. Offsets into struct native_context are constants of
 * the assembly, checked against the struct at build.
 */

#include "tests/oracles/native_run.h"

#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define RESULT_SIZE 648 /* 16 * 8 + 8 + 16 * 32 */
#define OFFSET(field, offset) \
	_Static_assert(offsetof(struct native_context, field) == (offset), #field)
OFFSET(before.rflags, 128);
OFFSET(before.ymm, 136);
OFFSET(after, RESULT_SIZE);
OFFSET(after.rflags, RESULT_SIZE + 128);
OFFSET(host_rsp, 1296);
OFFSET(entry, 1304);
OFFSET(leave, 1312);
OFFSET(taken, 1320);
OFFSET(stack32, 1328);
OFFSET(data_selector, 1332);
OFFSET(to32, 1336);
OFFSET(start, 1344);
OFFSET(leave32, 1352);
OFFSET(to64, 1360);
OFFSET(stack, 1368);

#define USER_CS32   0x23
#define USER_CS64   0x33
#define USER_SS	    0x2b
#define LDT_DATA    0x0f /* entry 1 of the LDT, ring 3 */
#define LDT_CODE16  0x17
#define LDT_STACK16 0x1f

void native_enter64(void);
void native_enter32(void);
void native_leave64(void);
void native_return(void);
extern const uint8_t native_begin32[], native_exit32[], native_end32[];

/* clang-format off */
__asm__(
	".macro each_gpr operation\n"
	"	\\operation rax 0\n \\operation rcx 8\n \\operation rdx 16\n"
	"	\\operation rbx 24\n \\operation rbp 40\n \\operation rsi 48\n"
	"	\\operation rdi 56\n \\operation r8 64\n \\operation r9 72\n"
	"	\\operation r10 80\n \\operation r11 88\n \\operation r12 96\n"
	"	\\operation r13 104\n \\operation r14 112\n \\operation r15 120\n"
	"	\\operation rsp 32\n"
	".endm\n"
	".macro load register offset\n mov 0x20000000+\\offset, %\\register\n .endm\n"
	".macro store register offset\n mov %\\register, 0x20000000+648+\\offset\n .endm\n"
	".macro load32 register offset\n mov %gs:0x20000000+\\offset, %\\register\n .endm\n"
	".macro store32 register offset\n mov %\\register, %gs:0x20000000+648+\\offset\n .endm\n"

	".text\n"
	".macro save_host\n"
	"	push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"	mov %rsp, 0x20000000+1296\n"
	".endm\n"

	".globl native_enter64\n native_enter64:\n"
	"	save_host\n"
	"	pushq 0x20000000+128\n popfq\n"
	"	each_gpr load\n"
	"	jmp *0x20000000+1304\n"

	".globl native_leave64\n native_leave64:\n"
	"	each_gpr store\n"
	"	mov 0x20000000+1296, %rsp\n"
	"	pushfq\n popq 0x20000000+648+128\n"

	/* Also the signal handler's way back: the host's stack and flags as C wants them. */
	".globl native_return\n native_return:\n"
	"	mov 0x20000000+1296, %rsp\n"
	"	pushq $0x202\n popfq\n"
	"	pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"	ret\n"

	".globl native_enter32\n native_enter32:\n"
	"	save_host\n"
	"	ljmp *0x20000000+1336\n"

	/* Copied below 4 GiB; refers to nothing but the context. */
	".globl native_begin32\n native_begin32:\n"
	".code32\n"
	"	mov $0x2b, %eax\n mov %eax, %ss\n mov %eax, %gs\n"
	"	mov %gs:0x20000000+1332, %eax\n"
	"	mov %eax, %ds\n mov %eax, %es\n"
	"	mov %gs:0x20000000+1328, %esp\n"
	"	pushl %gs:0x20000000+128\n popfl\n"
	"	load32 eax 0\n load32 ecx 8\n load32 edx 16\n load32 ebx 24\n"
	"	load32 ebp 40\n load32 esi 48\n load32 edi 56\n"
	"	lss %gs:0x20000000+1368, %esp\n"
	"	ljmp *%gs:0x20000000+1344\n"
	".globl native_exit32\n native_exit32:\n"
	"	store32 eax 0\n store32 ecx 8\n store32 edx 16\n store32 ebx 24\n"
	"	store32 ebp 40\n store32 esi 48\n store32 edi 56\n store32 esp 32\n"
	"	mov $0x2b, %eax\n mov %eax, %ss\n"
	"	mov %gs:0x20000000+1328, %esp\n"
	"	pushfl\n popl %gs:0x20000000+648+128\n"
	"	mov $0x2b, %eax\n mov %eax, %ds\n mov %eax, %es\n"
	"	ljmp *%gs:0x20000000+1360\n"
	".globl native_end32\n native_end32:\n"
	".code64\n");
/* clang-format on */

struct native_context *native_context(void)
{
	return (struct native_context *)(uintptr_t)NATIVE_CONTEXT;
}

/* ---- faults -------------------------------------------------------------------------- */

static void caught(int signal_number, siginfo_t *info, void *argument)
{
	static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				       REG_R12, REG_R13, REG_R14, REG_R15 };
	ucontext_t *user = argument;
	greg_t *registers = user->uc_mcontext.gregs;
	struct native_context *context = native_context();

	(void)info;
	if (!context->running) {
		(void)signal(signal_number, SIG_DFL);
		return;
	}
	for (unsigned int i = 0; i < 16; i++)
		context->after.gpr[i] = (uint64_t)registers[order[i]];
	context->after.rflags = (uint64_t)registers[REG_EFL];
	context->faulted = true;
	context->vector = (uint8_t)registers[REG_TRAPNO];
	context->error_code = (uint32_t)registers[REG_ERR];
	context->address = (uint64_t)registers[REG_CR2];

	registers[REG_RIP] = (greg_t)(uintptr_t)native_return;
	registers[REG_EFL] = 0x202;
	registers[REG_CSGSFS] = (registers[REG_CSGSFS] & 0x0000ffffffff0000ll) |
				(greg_t)((uint64_t)USER_SS << 48) | USER_CS64;
}

static bool catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (!stack.ss_sp || sigaltstack(&stack, NULL))
		return false;
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &action, NULL))
			return false;
	return true;
}

/* ---- the surroundings -------------------------------------------------------------------- */

static bool map(uint32_t address, size_t size, int protection)
{
	void *at = (void *)(uintptr_t)address;

	return mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == at;
}

static bool ldt_segment(uint16_t selector, uint32_t base, uint32_t limit)
{
	struct user_desc descriptor = {
		.entry_number = selector >> 3,
		.base_addr = base,
		.limit = limit,
		.seg_32bit = selector == LDT_DATA,
		.contents = selector == LDT_CODE16 ? MODIFY_LDT_CONTENTS_CODE
						   : MODIFY_LDT_CONTENTS_DATA,
		.useable = 1,
	};

	return !syscall(SYS_modify_ldt, 1, &descriptor, sizeof(descriptor));
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint8_t *put(uint8_t *at, const uint8_t *bytes, size_t size, size_t field)
{
	memcpy(at, bytes, size);
	put32(at + size, NATIVE_CONTEXT + (uint32_t)field);
	return at + size + 4;
}

/* A branch went here: "movb $1, taken" */
static uint8_t *write_mark(uint8_t *at, unsigned int bits)
{
	static const uint8_t mark16[] = { 0x65, 0x67, 0xc6, 0x05 };
	static const uint8_t mark32[] = { 0x65, 0xc6, 0x05 };
	static const uint8_t mark64[] = { 0xc6, 0x04, 0x25 };
	size_t field = offsetof(struct native_context, taken);

	if (bits == 64)
		at = put(at, mark64, 3, field);
	else if (bits == 32)
		at = put(at, mark32, 3, field);
	else
		at = put(at, mark16, 4, field);
	*at = 1;
	return at + 1;
}

/* Back to the stub: a jump through memory, which needs no register. */
static void write_exit(uint8_t *at, unsigned int bits)
{
	static const uint8_t jump16[] = { 0x65, 0x67, 0x66, 0xff, 0x2d };
	static const uint8_t jump32[] = { 0x65, 0xff, 0x2d };
	static const uint8_t jump64[] = { 0xff, 0x24, 0x25 };

	if (bits == 64)
		put(at, jump64, 3, offsetof(struct native_context, leave));
	else if (bits == 32)
		put(at, jump32, 3, offsetof(struct native_context, leave32));
	else
		put(at, jump16, 5, offsetof(struct native_context, leave32));
}

bool native_start(void)
{
	static const uint8_t jump64[] = { 0xff, 0x24, 0x25 };
	struct native_context *context = native_context();
	uint8_t *stub32 = (uint8_t *)(uintptr_t)(NATIVE_CODE + 0x1000);

	if (!map(NATIVE_CODE, NATIVE_CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map(NATIVE_CONTEXT, NATIVE_CONTEXT_SIZE, PROT_READ | PROT_WRITE) ||
	    !map(NATIVE_DATA - 0x1000, NATIVE_DATA_SIZE + 0x2000, PROT_NONE) ||
	    mprotect((void *)(uintptr_t)NATIVE_DATA, NATIVE_DATA_SIZE, PROT_READ | PROT_WRITE) ||
	    !ldt_segment(LDT_DATA, NATIVE_SEGMENT, NATIVE_SEGMENT_LIMIT) ||
	    !ldt_segment(LDT_STACK16, NATIVE_SEGMENT, NATIVE_SEGMENT_LIMIT) ||
	    !ldt_segment(LDT_CODE16, NATIVE_CODE, NATIVE_CODE_SIZE - 1) || !catch_faults()) {
		perror("native_run: low memory, an LDT segment or signals");
		return false;
	}
	memcpy(stub32, native_begin32, (size_t)(native_end32 - native_begin32));
	context->entry = NATIVE_CODE;
	context->leave = (uintptr_t)native_leave64;
	context->data_selector = LDT_DATA;
	context->stack32 = NATIVE_CONTEXT + NATIVE_CONTEXT_SIZE - 64;
	context->to32 = (struct native_far_pointer){ NATIVE_CODE + 0x1000, USER_CS32 };
	context->leave32 = (struct native_far_pointer){
		NATIVE_CODE + 0x1000 + (uint32_t)(native_exit32 - native_begin32), USER_CS32
	};
	/* As 64-bit code below 4 GiB: "jmp *back" */
	context->to64 = (struct native_far_pointer){ NATIVE_CODE + 0x800, USER_CS64 };
	put((uint8_t *)(uintptr_t)(NATIVE_CODE + 0x800), jump64, 3,
	    offsetof(struct native_context, back));
	context->back = (uintptr_t)native_return;
	return true;
}

void native_protect(void)
{
	(void)mprotect((void *)(uintptr_t)(NATIVE_DATA + NATIVE_DATA_RW),
		       NATIVE_DATA_SIZE - NATIVE_DATA_RW, PROT_READ);
}

/* ---- one instruction ----------------------------------------------------------------------- */

#define EACH_VECTOR ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"

static void load_vectors(const struct native_context *context)
{
	__asm__ volatile(EACH_VECTOR "vmovdqu 32*\\n(%0), %%ymm\\n\n .endr"
			 :
			 : "r"(context->before.ymm)
			 : "memory");
}

static void store_vectors(struct native_context *context)
{
	__asm__ volatile(EACH_VECTOR "vmovdqu %%ymm\\n, 32*\\n(%0)\n .endr"
			 :
			 : "r"(context->after.ymm)
			 : "memory");
}

void native_run(const uint8_t *bytes, size_t length, unsigned int bits)
{
	struct native_context *context = native_context();
	uint8_t *code = (uint8_t *)(uintptr_t)NATIVE_CODE;

	memcpy(code, bytes, length);
	write_exit(code + length, bits);
	write_exit(write_mark(code + NATIVE_BRANCH_TARGET, bits), bits);
	context->faulted = false;
	context->taken = 0;
	context->running = true;
	if (bits == 64) {
		load_vectors(context);
		native_enter64();
		store_vectors(context);
	} else {
		context->start = (struct native_far_pointer){ NATIVE_CODE, USER_CS32 };
		context->stack =
			(struct native_far_pointer){ (uint32_t)context->before.gpr[4], USER_SS };
		if (bits == 16) {
			context->start = (struct native_far_pointer){ 0, LDT_CODE16 };
			context->stack.selector = LDT_STACK16;
		}
		native_enter32();
	}
	context->running = false;
}
