/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tracepoints (Linux, Documentation/trace/events.rst):
 *
 *	hutch:hutch_exit	why a guest left, each time
 *	hutch:hutch_inject	an event that goes in with the next entry
 *	hutch:hutch_call	what a guest wants of its VMM, as KVM_RUN ends
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hutch

#if !defined(HUTCH_HOST_LINUX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HUTCH_HOST_LINUX_TRACE_H

#include "core/exit.h"
#include "core/hv.h"

#include <linux/tracepoint.h>
#include <linux/version.h>

#undef assign_reason
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define assign_reason(text) __assign_str(reason)
#else
#define assign_reason(text) __assign_str(reason, text)
#endif

/* The core tells only while somebody listens. */
int trace_begin(void);
void trace_end(void);

/* clang-format off */
TRACE_EVENT_FN(hutch_exit,
	TP_PROTO(uint32_t vcpu, uint64_t rip, const struct hv_exit *exit),
	TP_ARGS(vcpu, rip, exit),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
		__field(u64, number)
		__string(reason, hv_exit_name(exit->reason))
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
		__entry->number = exit->number;
		assign_reason(hv_exit_name(exit->reason));
	),
	TP_printk("vcpu %u rip 0x%llx reason %s hardware 0x%llx", __entry->vcpu, __entry->rip,
		  __get_str(reason), __entry->number),
	trace_begin, trace_end
);

TRACE_EVENT_FN(hutch_inject,
	TP_PROTO(uint32_t vcpu, uint64_t rip, const struct hv_event *event),
	TP_ARGS(vcpu, rip, event),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
		__field(u8, type)
		__field(u8, vector)
		__field(u32, error_code)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
		__entry->type = event->type;
		__entry->vector = event->vector;
		__entry->error_code = event->error_code;
	),
	TP_printk("vcpu %u rip 0x%llx type %u vector %u error 0x%x", __entry->vcpu, __entry->rip,
		  __entry->type, __entry->vector, __entry->error_code),
	trace_begin, trace_end
);

TRACE_EVENT(hutch_call,
	TP_PROTO(uint32_t vcpu, uint64_t rip, const struct hv_call *call),
	TP_ARGS(vcpu, rip, call),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, call)
		__field(u64, rip)
		__field(u64, number)
		__string(reason, hv_exit_name(call->exit.reason))
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->call = call->kind;
		__entry->rip = rip;
		__entry->number = call->exit.number;
		assign_reason(hv_exit_name(call->exit.reason));
	),
	TP_printk("vcpu %u rip 0x%llx reason %s hardware 0x%llx call %u", __entry->vcpu,
		  __entry->rip, __get_str(reason), __entry->number, __entry->call)
);
/* clang-format on */

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH ./* "linux" is a word that the compiler replaces */
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
