// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import java.util.function.LongSupplier;
import org.dmabuf.heap.linux.machine.MachineMemory;

/** The headroom of a machine that a test makes up, without a reserve. */
public final class MadeUpHeadroom {
    private MadeUpHeadroom() {}

    /** {@return that of a machine with so many bytes and no cgroup} */
    public static Headroom of(LongSupplier machine, LongSupplier nanoTime) {
        return new Headroom(_ -> new MachineMemory.Reading(machine.getAsLong(), "a machine made up"), 0, nanoTime);
    }

    /** {@return that of a machine with so many bytes, and with a cgroup} */
    public static Headroom of(LongSupplier machine, LongSupplier cgroup, LongSupplier nanoTime) {
        return new Headroom(
                _ -> new MachineMemory.Reading(
                        new MachineMemory.Bound(machine.getAsLong(), "a machine made up", Long.MAX_VALUE),
                        new MachineMemory.Bound(cgroup.getAsLong(), "a cgroup made up", Long.MAX_VALUE)),
                0,
                nanoTime);
    }

    /** {@return bytes that are held now} */
    public static long held(Headroom headroom) {
        return headroom.held();
    }
}
