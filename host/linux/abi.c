/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

/*
 * From an ioctl's number to its handler. The three levels are three switches over one
 * table, abi.def: the compiler makes searches of them, and calls that need no pointer
 * (which a processor with its speculation fenced in is slow at); a number that stands
 * twice does not compile.
 */

#define NOTHING(...)

#define SYSTEM(request, handler, text) \
	case request:                  \
		return handler(argument);
#define SYSTEM_REFUSED(request, error, text) \
	case request:                        \
		return -error;
#define VM	     NOTHING
#define VM_REFUSED   NOTHING
#define VCPU	     NOTHING
#define VCPU_REFUSED NOTHING
#define ABSENT	     NOTHING
long abi_system(unsigned int request, unsigned long argument)
{
	switch (request) {
#include "host/linux/abi.def"
	}
	return -ENOTTY;
}
#include "host/linux/abi_undefine.def"

#define VM(request, handler, text) \
	case request:              \
		return handler(vm, argument);
#define VM_REFUSED(request, error, text) \
	case request:                    \
		return -error;
#define SYSTEM	       NOTHING
#define SYSTEM_REFUSED NOTHING
#define VCPU	       NOTHING
#define VCPU_REFUSED   NOTHING
#define ABSENT	       NOTHING
long abi_vm(struct hutch_vm *vm, unsigned int request, unsigned long argument)
{
	switch (request) {
#include "host/linux/abi.def"
	}
	return -ENOTTY;
}
#include "host/linux/abi_undefine.def"

#define VCPU(request, handler, text) \
	case request:                \
		return handler(vcpu, argument);
#define VCPU_REFUSED(request, error, text) \
	case request:                      \
		return -error;
#define SYSTEM	       NOTHING
#define SYSTEM_REFUSED NOTHING
#define VM	       NOTHING
#define VM_REFUSED     NOTHING
#define ABSENT	       NOTHING
long abi_vcpu(struct hutch_vcpu *vcpu, unsigned int request, unsigned long argument)
{
	switch (request) {
#include "host/linux/abi.def"
	}
	return -ENOTTY;
}
#include "host/linux/abi_undefine.def"
