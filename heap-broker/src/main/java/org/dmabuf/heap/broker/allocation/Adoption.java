// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.linux.adopted.AdoptedMemory;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Adoption of memory that other processes handed over. Adopted buffers are charged to one common account while this
 * process uses them. Afterwards only the maker of the memory is charged, so adopted buffers do not linger. If memory of
 * this broker's own heaps is received and adopted, it is counted twice. It is live or lingering memory of its heap, and
 * adopted memory.
 */
public final class Adoption {
    private final HeapDescription listed = description(Map.of(HeapProperties.NAME, HeapDescription.ADOPTED));
    private final HeapDescription memfd = description(Map.of(
            HeapProperties.NAME,
            HeapDescription.ADOPTED,
            HeapProperties.BACKEND,
            "memfd",
            HeapProperties.DMABUF,
            false));
    /** The description of adopted dma-bufs. Their exporter is unknown. */
    private final HeapDescription dmaBuf =
            description(Map.of(HeapProperties.NAME, HeapDescription.ADOPTED, HeapProperties.DMABUF, true));

    private final HeapAccount account;
    private final Ledger ledger;
    private final BufferServices services;
    private final Syscalls syscalls;
    private final Headroom headroom;
    /** Whether memfds are accepted although their senders can still punch holes into them. */
    private volatile boolean unsealed;

    public Adoption(Ledger ledger, BufferServices services, Syscalls syscalls, Headroom headroom) {
        this.ledger = ledger;
        account = ledger.open(HeapDescription.ADOPTED);
        this.services = services.withoutHolders(); // the maker is charged for memory that lingers
        this.syscalls = syscalls;
        this.headroom = headroom;
    }

    /**
     * Sets whether a memfd is accepted although its sender can still punch holes into it. Memory that is already
     * adopted stays.
     */
    public void acceptUnsealed(boolean accept) {
        unsealed = accept;
    }

    /**
     * Adopts a descriptor for a client.
     *
     * @param client the client that gets the reference
     * @param descriptor owned by the buffer when the call returns, and by the caller when it throws
     * @param name for listings
     * @return the client's reference
     */
    public DmaBuf adopt(Client client, OwnedFd descriptor, String name) {
        client.requireActive();
        Taking taking =
                new Taking(client, descriptor, HeapRequest.of(1).withName(name).name());
        try {
            ledger.rules().requireAllowed(HeapDescription.ADOPTED, false, client.id());
            long before = services.moment(client.account());
            return BufferReference.open(client, taking.acquire(account, before));
        } catch (HeapException e) {
            account.failed(e.errno());
            client.account().failures().count(e.errno());
            throw e;
        } finally {
            if (taking.waited > 0) {
                account.waits().add(taking.waited);
                client.account().waits().add(taking.waited);
            }
        }
    }

    /** The acquisition of one descriptor that a client hands over. */
    private final class Taking extends Acquisition {
        private final OwnedFd descriptor;
        private final Optional<String> name;

        Taking(Client client, OwnedFd descriptor, Optional<String> name) {
            super(client, ledger, true);
            this.descriptor = descriptor;
            this.name = name;
        }

        @Override
        boolean hasComeBack(long since) {
            return services.hasComeBack(client.account(), since);
        }

        @Override
        SharedBuffer charged(Charge charge) {
            AdoptedMemory memory = AdoptedMemory.adopt(
                    syscalls, headroom, unsealed, descriptor, size -> require(charge.setAside(size), charge, size));
            boolean charged = false;
            try {
                HeapDescription description = memory.isDmaBuf() ? dmaBuf : memfd;
                SharedBuffer buffer = new SharedBuffer(
                        memory, memory.size(), 1, description, charge, ExportMode.READ_WRITE, name, services);
                require(charge.begin(buffer), charge, memory.size()); // cannot fail: the size is reserved
                charged = true;
                return buffer;
            } finally {
                if (!charged) {
                    memory.release();
                }
            }
        }
    }

    /** {@return the description under which listings show all adopted memory} */
    public HeapDescription description() {
        return listed;
    }

    private static HeapDescription description(Map<String, Object> properties) {
        return HeapDescription.named(HeapDescription.ADOPTED, properties, Rules.PID);
    }

    public HeapAccount account() {
        return account;
    }
}
