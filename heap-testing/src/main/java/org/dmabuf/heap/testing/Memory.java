// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ExportMode;

/** Memory of one buffer, charged while an object of it is open. The inventory's lock guards the mutable state. */
final class Memory {
    /** Unique in the process, as an inode is on the machine. */
    private static final AtomicLong INODES = new AtomicLong();

    private final InMemoryHeap heap;
    private final ClientId client;
    private final String origin;
    private final long size;
    private final Optional<String> name;
    private final ExportMode export;
    private final Contents contents;
    private final long inode;
    private final Runnable whenGone;
    private final Site site = Site.here();
    private final long since = System.nanoTime();
    private final Set<Use> uses = new LinkedHashSet<>();
    private boolean exported;

    private Memory(
            InMemoryHeap heap,
            ClientBroker client,
            long size,
            Optional<String> name,
            ExportMode export,
            Contents contents,
            long inode,
            Runnable whenGone) {
        this.heap = heap;
        this.client = client.client();
        origin = client.origin();
        this.size = size;
        this.name = name;
        this.export = export;
        this.contents = contents;
        this.inode = inode;
        this.whenGone = whenGone;
    }

    /** Makes zeroed memory. */
    static Memory of(InMemoryHeap heap, ClientBroker client, long size, Optional<String> name, ExportMode export) {
        Contents contents = new Contents(size);
        return new Memory(heap, client, size, name, export, contents, INODES.incrementAndGet(), contents::close);
    }

    /** Adopts the same bytes, which are then charged a second time. */
    Memory adopted(ClientBroker by, Optional<String> as, Runnable gone) {
        return new Memory(InMemoryHeap.ADOPTED, by, size, as, export, contents, inode, gone);
    }

    InMemoryHeap heap() {
        return heap;
    }

    ClientId client() {
        return client;
    }

    String origin() {
        return origin;
    }

    long size() {
        return size;
    }

    Optional<String> name() {
        return name;
    }

    ExportMode export() {
        return export;
    }

    Contents contents() {
        return contents;
    }

    long inode() {
        return inode;
    }

    Site site() {
        return site;
    }

    long since() {
        return since;
    }

    /** {@return its open objects; only the inventory changes the set} */
    Set<Use> uses() {
        return uses;
    }

    int count(Class<? extends Use> kind) {
        return (int) uses.stream().filter(kind::isInstance).count();
    }

    /** {@return whether only descriptors hold it} */
    boolean lingers() {
        return uses.stream().allMatch(Exported.class::isInstance);
    }

    boolean exported() {
        return exported;
    }

    void markExported() {
        exported = true;
    }

    /** Releases the bytes. */
    void end() {
        whenGone.run();
    }

    @Override
    public String toString() {
        return "buffer " + name.map(text -> "'" + text + "' ").orElse("") + "of " + size + " bytes from heap '"
                + heap.name() + "'";
    }
}
