// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The boot loader of the Bochs bed: an option ROM of two kilobytes.
 *
 * A boot loader on a disk would cost Bochs a minute: the BIOS reads sectors with a
 * hundred instructions a byte, and the kernel unpacks itself with a thousand. So
 * bed/bochs_disk.py lays an unpacked kernel, the initramfs and everything else the
 * kernel wants ready-made on a disk, with a list of what goes where; here it is
 * read into memory and jumped to.
 *
 * The BIOS finds the ROM at the end of its power-on tests, when its tables (ACPI,
 * memory map) are made, and calls it at offset 3 in real mode (Plug and Play BIOS
 * Specification 1.0A, section 3). We ask the BIOS for the memory map, then leave
 * it behind: protected mode, the disk by programmed I/O (ATA-1, section 8), long
 * mode with memory mapped one to one, and the kernel's 64-bit entry with its
 * "zero page" in RSI (Linux, Documentation/x86/boot.rst).
 */

#define ROM_SEGMENT 0xd000
#define ROM_SECTORS 4

#define E820_BUFFER 0x8000 /* in segment 0 */
#define E820_COUNT 0x7ff8  /* beside it */
#define E820_ENTRY 20
#define E820_MAX 32
#define E820_SIGNATURE 0x534d4150 /* "SMAP" */

/* Offsets in the zero page: Documentation/x86/zero-page.rst. */
#define ZERO_PAGE_E820_COUNT 0x1e8
#define ZERO_PAGE_E820_TABLE 0x2d0

#define ATA_DATA 0x1f0
#define ATA_SECTOR_COUNT 0x1f2
#define ATA_LBA_LOW 0x1f3
#define ATA_LBA_MIDDLE 0x1f4
#define ATA_LBA_HIGH 0x1f5
#define ATA_DEVICE 0x1f6
#define ATA_COMMAND 0x1f7
#define ATA_DEVICE_LBA 0xe0
#define ATA_READ_SECTORS 0x20
#define ATA_STATUS_BUSY 0x80
#define ATA_STATUS_DATA 0x08
#define ATA_STATUS_ERROR 0x01
#define ATA_COMMAND_SECTORS 256

#define COM1 0x3f8

	.code16
	.section .text
	.globl _start
_start:
	.byte 0x55, 0xaa, ROM_SECTORS
	jmp real_mode

	/* Patched in by bed/bochs_disk.py: see its Rom. */
	.balign 8
zero_page:
	.long 0
page_tables:
	.long 0
kernel_entry:
	.long 0
	.long 0
pieces: /* destination, first sector, sectors; the last has no sectors */
	.fill 8 * 3, 4, 0

real_mode:
	cli
	cld
	mov $ROM_SEGMENT, %ax
	mov %ax, %ds
	xor %ax, %ax
	mov %ax, %es
	mov %ax, %ss
	mov $0x7000, %sp

	/* INT 15h, E820h: one entry a call, EBX goes on from zero to zero. */
	xor %ebx, %ebx
	xor %ebp, %ebp
	mov $E820_BUFFER, %di
next_range:
	mov $0xe820, %eax
	mov $E820_SIGNATURE, %edx
	mov $E820_ENTRY, %ecx
	int $0x15
	jc ranges_done
	add $E820_ENTRY, %di
	inc %bp
	cmp $E820_MAX, %bp
	jae ranges_done
	test %ebx, %ebx
	jnz next_range
ranges_done:
	cli
	mov %bp, %es:E820_COUNT
	in $0x92, %al /* A20 on: port 92h, bit 1 */
	or $2, %al
	and $0xfe, %al
	out %al, $0x92
	lgdtl gdt_pointer - _start
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $0x08, $(ROM_SEGMENT << 4) + protected_mode - _start

	.code32
protected_mode:
	mov $0x18, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $0x7000, %esp

	mov $(ROM_SEGMENT << 4) + pieces - _start, %esi
next_piece:
	mov (%esi), %edi
	mov 4(%esi), %ebx
	mov 8(%esi), %ebp
	add $12, %esi
	test %ebp, %ebp
	jz pieces_done
next_command:
	mov $ATA_COMMAND_SECTORS, %ecx
	cmp %ecx, %ebp
	jae 1f
	mov %ebp, %ecx
1:	sub %ecx, %ebp
	call ata_read
	test %ebp, %ebp
	jnz next_command
	jmp next_piece
pieces_done:

	/* The memory map goes into the zero page. */
	mov (ROM_SEGMENT << 4) + zero_page - _start, %edx
	mov $E820_BUFFER, %esi
	lea ZERO_PAGE_E820_TABLE(%edx), %edi
	mov $E820_MAX * E820_ENTRY / 4, %ecx
	rep movsl
	mov E820_COUNT, %al
	mov %al, ZERO_PAGE_E820_COUNT(%edx)

	/* Long mode: SDM 3, 10.8.5. */
	mov (ROM_SEGMENT << 4) + page_tables - _start, %eax
	mov %eax, %cr3
	mov $1 << 5, %eax /* CR4.PAE */
	mov %eax, %cr4
	mov $0xc0000080, %ecx /* IA32_EFER */
	rdmsr
	or $1 << 8, %eax /* LME */
	wrmsr
	mov %cr0, %eax
	or $1 << 31, %eax /* PG */
	mov %eax, %cr0
	ljmpl $0x10, $(ROM_SEGMENT << 4) + long_mode - _start

	/* Reads ECX (1 to 256) sectors from EBX on to EDI; advances EBX and EDI. */
ata_read:
	mov %ecx, %eax /* a count of 256 is written as 0 */
	mov $ATA_SECTOR_COUNT, %edx
	out %al, %dx
	mov %ebx, %eax
	inc %edx
	out %al, %dx
	shr $8, %eax
	inc %edx
	out %al, %dx
	shr $8, %eax
	inc %edx
	out %al, %dx
	shr $8, %eax
	or $ATA_DEVICE_LBA, %al
	inc %edx
	out %al, %dx
	add %ecx, %ebx
	mov $ATA_READ_SECTORS, %al
	mov $ATA_COMMAND, %edx
	out %al, %dx
next_sector:
	mov $ATA_COMMAND, %edx
wait_for_data:
	in %dx, %al
	test $ATA_STATUS_BUSY, %al
	jnz wait_for_data
	test $ATA_STATUS_ERROR, %al
	jnz disk_error
	test $ATA_STATUS_DATA, %al
	jz wait_for_data
	push %ecx
	mov $ATA_DATA, %edx
	mov $512 / 4, %ecx
	rep insl
	pop %ecx
	loop next_sector
	ret

disk_error:
	mov $(ROM_SEGMENT << 4) + message - _start, %esi
	mov $COM1, %edx
1:	lodsb
	out %al, %dx
	test %al, %al
	jnz 1b
2:	hlt
	jmp 2b

	.code64
long_mode:
	mov (ROM_SEGMENT << 4) + zero_page - _start, %esi
	mov (ROM_SEGMENT << 4) + kernel_entry - _start, %eax
	jmp *%rax

message:
	.asciz "bed: the disk cannot be read\r\n"
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* 0x08: 32-bit code */
	.quad 0x00af9b000000ffff /* 0x10: 64-bit code, __BOOT_CS of Linux */
	.quad 0x00cf93000000ffff /* 0x18: data, __BOOT_DS */
gdt_pointer:
	.word . - gdt - 1
	.long (ROM_SEGMENT << 4) + gdt - _start
	.org ROM_SECTORS * 512
