// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;

/** Reference of a client to a buffer. */
final class Reference extends Use implements DmaBuf {
    private final Access granted;

    /** @param granted the access that it permits: READ or READ_WRITE */
    Reference(Memory memory, ClientBroker client, Access granted) {
        super("reference", memory, client);
        this.granted = granted;
    }

    @Override
    public long size() {
        return memory().size();
    }

    @Override
    public String heapName() {
        return memory().heap().name();
    }

    @Override
    public Map<String, Object> heapProperties() {
        return memory().heap().properties();
    }

    @Override
    public Optional<String> name() {
        return memory().name();
    }

    @Override
    public OptionalLong inode() {
        requireOpen();
        return memory().export() == ExportMode.NONE ? OptionalLong.empty() : OptionalLong.of(memory().inode());
    }

    @Override
    public MemorySegment map(Access access, Arena arena) {
        Objects.requireNonNull(access, "invalid access = null: expected an Access");
        Objects.requireNonNull(arena, "invalid arena = null: expected an Arena");
        Mapping mapping = open(new Mapping(memory(), client()));
        boolean mapped = false;
        try {
            requireGranted(access, "mapped for writing");
            requireMappable(arena);
            MemorySegment segment = memory().contents().map(access, arena);
            mapping.mapped(segment);
            mapped = true;
            return segment;
        } catch (IOException e) {
            throw HeapException.of(
                    Errno.EIO,
                    heapName(),
                    memory() + ": mapping a temporary file failed: " + e + "; look at java.io.tmpdir",
                    e);
        } finally {
            if (!mapped) {
                mapping.close();
            }
        }
    }

    private void requireMappable(Arena arena) {
        if (arena.scope().equals(Arena.global().scope())) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heapName(),
                    memory() + ": the global arena never ends; use a confined, shared or automatic arena");
        }
        if (!memory().heap().is(HeapProperties.MAPPABLE)) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heapName(),
                    memory() + " cannot be mapped by the CPU; require (" + HeapProperties.MAPPABLE + "=true)");
        }
    }

    @Override
    public CpuAccess beginCpuAccess(Access access) {
        Objects.requireNonNull(access, "invalid access = null: expected an Access");
        requireOpen();
        requireGranted(access, "accessed for writing");
        return open(new OpenCpuAccess(memory(), client(), access));
    }

    /** Returns at once, because no device uses the memory. */
    @Override
    public void awaitDevices(Access access, Duration timeout) {
        Objects.requireNonNull(access, "invalid access = null: expected an Access");
        Objects.requireNonNull(timeout, "invalid timeout = null: expected a duration");
        if (timeout.isNegative()) {
            throw new IllegalArgumentException("invalid timeout = " + timeout + ": expected zero or more");
        }
        requireOpen();
        requireGranted(access, "awaited for writing");
    }

    @Override
    public OwnedFd exportFd() {
        requireOpen();
        switch (memory().export()) {
            case NONE ->
                throw HeapException.of(
                        Errno.ENOTSUP,
                        heapName(),
                        memory() + " was allocated with ExportMode.NONE and has no descriptor to give; allocate it with"
                                + " READ_ONLY or READ_WRITE");
            case READ_WRITE ->
                requireGranted(Access.READ_WRITE, "exported, because its descriptor would permit" + " writing");
            case READ_ONLY -> {}
        }
        return client().inventory().export(Exported.of(memory(), client()), this);
    }

    @Override
    public DmaBuf newReference() {
        return open(new Reference(memory(), client(), granted));
    }

    private <U extends Use> U open(U use) {
        return client().inventory().open(use, this);
    }

    /** Throws EACCES for writing through a reference for reading. */
    void requireGranted(Access access, String what) {
        if (access.writes() && !granted.writes()) {
            throw HeapException.of(
                    Errno.EACCES,
                    heapName(),
                    "a read-only reference to a " + memory() + " cannot be " + what
                            + "; have its publisher grant READ_WRITE");
        }
    }
}
