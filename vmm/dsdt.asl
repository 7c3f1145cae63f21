/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What the machine is made of beyond the fixed tables of vmm/acpi.c: the devices that
 * a PC's kernel cannot find by looking for them, with the ports and interrupts that
 * are soldered to them. Nothing here is a method: a guest reads it once and runs no
 * byte code.
 */

DefinitionBlock ("", "DSDT", 2, "HUTCH ", "HUTCHVM ", 1)
{
	/* ACPI_S5_SLP_TYP of vmm/acpi.h: what powers the machine off. */
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		/* 16550A at COM1 */
		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03f8, 0x03f8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}

		/* i8042 with a keyboard */
		Device (KBD)
		{
			Name (_HID, EisaId ("PNP0303"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0060, 0x0060, 1, 1)
				IO (Decode16, 0x0064, 0x0064, 1, 1)
				IRQNoFlags () { 1 }
			})
		}

		/* MC146818 real-time clock */
		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 1, 2)
				IRQNoFlags () { 8 }
			})
		}

		/* The pair of 8259A */
		Device (PIC)
		{
			Name (_HID, EisaId ("PNP0000"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0020, 0x0020, 1, 2)
				IO (Decode16, 0x00a0, 0x00a0, 1, 2)
				IO (Decode16, 0x04d0, 0x04d0, 1, 2)
				IRQNoFlags () { 2 }
			})
		}

		/* 8254 timer */
		Device (TIMR)
		{
			Name (_HID, EisaId ("PNP0100"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0040, 0x0040, 1, 4)
				IRQNoFlags () { 0 }
			})
		}

		/* Speaker */
		Device (SPKR)
		{
			Name (_HID, EisaId ("PNP0800"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0061, 0x0061, 1, 1)
			})
		}

		/* What else is taken on the mainboard: POST port, power management, IOAPIC, local APICs */
		Device (MB)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0080, 0x0080, 1, 1)
				IO (Decode16, 0x0600, 0x0600, 1, 12)
				IO (Decode16, 0x0cf9, 0x0cf9, 1, 1)
				Memory32Fixed (ReadWrite, 0xfec00000, 0x1000)
				Memory32Fixed (ReadWrite, 0xfee00000, 0x1000)
			})
		}
	}
}
