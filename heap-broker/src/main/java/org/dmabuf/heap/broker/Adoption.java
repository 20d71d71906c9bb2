// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.AdoptedMemory;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.Syscalls;

/**
 * Makes buffers of memory that other processes handed over. They are counted as if one heap had made them, for as long
 * as they are used here: afterwards the memory is its maker's alone, who is charged for it, so it does not linger.
 * Memory that this broker's own heaps made and that comes back by a descriptor is counted for both: as the heap's,
 * live or lingering, and as adopted.
 */
final class Adoption {
    private final HeapDescription listed = description(Map.of(HeapProperties.NAME, HeapDescription.ADOPTED));
    private final HeapDescription memfd = description(Map.of(
            HeapProperties.NAME, HeapDescription.ADOPTED,
            HeapProperties.BACKEND, "memfd",
            HeapProperties.DMABUF, false));
    /** What made a dma-buf of another process is not known. */
    private final HeapDescription dmaBuf =
            description(Map.of(HeapProperties.NAME, HeapDescription.ADOPTED, HeapProperties.DMABUF, true));

    private final Account account;
    private final Ledger ledger;
    private final Upkeep upkeep;
    private final Syscalls syscalls;
    private final Headroom headroom;
    /** A setting. */
    private volatile boolean unsealed;

    Adoption(Ledger ledger, Upkeep upkeep, Syscalls syscalls, Headroom headroom) {
        this.ledger = ledger;
        account = ledger.open(HeapDescription.ADOPTED);
        this.upkeep = upkeep.withoutPeers(); // its maker is charged for what lingers
        this.syscalls = syscalls;
        this.headroom = headroom;
    }

    /** Says whether a memfd is accepted that its sender can still punch holes into; what is adopted stays. */
    void acceptUnsealed(boolean accept) {
        unsealed = accept;
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
        try {
            CheckedRequest.checkName(name);
            return Lease.open(client, taken(client, descriptor, name));
        } catch (HeapException e) {
            account.failed(e.errno());
            client.account().failures().count(e.errno());
            throw e;
        }
    }

    /** As an allocation: what the client has closed counts against it until its mappings are gone. */
    private Buffer taken(Client client, OwnedFd descriptor, String name) {
        long before = upkeep.moment(client.account());
        try {
            return takenAtOnce(client, descriptor, name);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM || !upkeep.hasComeBack(client.account(), before)) {
                throw e;
            }
            return takenAtOnce(client, descriptor, name);
        }
    }

    private Buffer takenAtOnce(Client client, OwnedFd descriptor, String name) {
        ledger.rules().requireAllowed(HeapDescription.ADOPTED, false, client.bundle(), client.location());
        Charge charge = ledger.charge(client.account(), account);
        Buffer buffer = null;
        try {
            AdoptedMemory memory = AdoptedMemory.adopt(
                    syscalls, headroom, unsealed, descriptor, size -> require(charge.setAside(size), charge, size));
            buffer = charged(memory, charge, name);
        } finally {
            if (buffer == null) {
                charge.cancel();
            }
        }
        return buffer;
    }

    private Buffer charged(AdoptedMemory memory, Charge charge, String name) {
        boolean charged = false;
        try {
            HeapDescription description = memory.isDmaBuf() ? dmaBuf : memfd;
            Buffer buffer = new Buffer(memory, memory.size(), 1, description, charge, true, name, upkeep);
            require(charge.begin(buffer), charge, memory.size()); // which fits: it was set aside
            charged = true;
            return buffer;
        } finally {
            if (!charged) {
                memory.release();
            }
        }
    }

    private static void require(Optional<Over> over, Charge charge, long size) {
        if (over.isPresent()) {
            throw over.get().refusal(charge.share(), size);
        }
    }

    /** {@return what a listing shows for all of them} */
    HeapDescription description() {
        return listed;
    }

    private static HeapDescription description(Map<String, Object> properties) {
        return HeapDescription.named(HeapDescription.ADOPTED, properties, Rules.PID);
    }

    Account account() {
        return account;
    }
}
