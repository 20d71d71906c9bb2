// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import java.util.function.LongSupplier;
import org.dmabuf.heap.linux.machine.MachineMemory;

/** Headroom of a fictitious machine, without a reserve. */
public final class MadeUpHeadroom {
    private MadeUpHeadroom() {}

    /** {@return the headroom of a machine with this many bytes and without a cgroup} */
    public static Headroom of(LongSupplier machine, LongSupplier nanoTime) {
        return new Headroom(_ -> new MachineMemory.Reading(machine.getAsLong(), "a fictitious machine"), 0, nanoTime);
    }

    /** {@return the headroom of a machine with this many bytes and a cgroup} */
    public static Headroom of(LongSupplier machine, LongSupplier cgroup, LongSupplier nanoTime) {
        return new Headroom(
                _ -> new MachineMemory.Reading(
                        new MachineMemory.Bound(machine.getAsLong(), "a fictitious machine", Long.MAX_VALUE),
                        new MachineMemory.Bound(cgroup.getAsLong(), "a fictitious cgroup", Long.MAX_VALUE)),
                0,
                nanoTime);
    }

    /** {@return bytes that are held now} */
    public static long held(Headroom headroom) {
        return headroom.held();
    }
}
