// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.AdoptedMemory;
import org.dmabuf.heap.linux.Bytes;
import org.dmabuf.heap.linux.Descriptors;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.Syscalls;

/**
 * Makes buffers of memory that other processes handed over. They are counted as if one heap had made them, for as long
 * as they are used here: afterwards the memory is its maker's alone, who is charged for it, so it does not linger.
 */
final class Adoption {
    private static final String NAME = "adopted";

    private final HeapDescription listed = description(Map.of(HeapProperties.NAME, NAME));
    private final HeapDescription memfd = description(
            Map.of(HeapProperties.NAME, NAME, HeapProperties.BACKEND, "memfd", HeapProperties.DMABUF, false));
    /** What made a dma-buf of another process is not known. */
    private final HeapDescription dmaBuf = description(Map.of(HeapProperties.NAME, NAME, HeapProperties.DMABUF, true));

    private final Account account = new Account();
    private final Reaper reaper;
    private final Descriptors descriptors;
    private final Syscalls syscalls;
    private final Headroom headroom;

    Adoption(Reaper reaper, Descriptors descriptors, Syscalls syscalls, Headroom headroom) {
        this.reaper = reaper;
        this.descriptors = descriptors;
        this.syscalls = syscalls;
        this.headroom = headroom;
    }

    /**
     * Takes over a descriptor for a client.
     *
     * @param client will hold the buffer
     * @param descriptor the buffer's when the call returns, the caller's when it throws
     * @param name for people
     * @return the client's reference
     */
    DmaBuf adopt(Client client, OwnedFd descriptor, String name) {
        client.requireActive();
        CheckedRequest.checkName(name);
        AdoptedMemory memory = AdoptedMemory.adopt(syscalls, headroom, descriptor);
        HeapDescription description = memory.isDmaBuf() ? dmaBuf : memfd;
        Buffer buffer = new Buffer(
                memory,
                memory.size(),
                description,
                new Charge(account, memory.size()),
                true,
                name,
                reaper,
                descriptors,
                Optional.empty());
        return client.keep(new Lease(client, buffer));
    }

    /** {@return what a listing shows for all of them} */
    HeapDescription description() {
        return listed;
    }

    private static HeapDescription description(Map<String, Object> properties) {
        return new HeapDescription(
                NAME, OptionalInt.empty(), 0, Bytes.PAGE, false, Set.of(), properties, BrokerComponent.PID);
    }

    Account account() {
        return account;
    }
}
