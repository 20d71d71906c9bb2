// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.release.DeferredWork;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.spi.HeapBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CPU access that has begun and not ended. It has its own hold on the buffer, so the memory cannot be released before
 * its end. The heap gets exactly one end for each begin.
 */
final class OpenCpuAccess extends OpenResource implements CpuAccess, DeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(OpenCpuAccess.class);

    private final Access access;
    private final Client client;
    private final SharedBuffer buffer;

    /**
     * Whether the heap's endCpuAccess was called; it must not be called twice. Written by the thread that ends this
     * access.
     */
    private boolean heapCalled;

    private boolean dropped;

    /**
     * Creates an access that takes over one hold on the buffer once it has begun.
     *
     * @param client the client that begins it
     * @param buffer the buffer, with one hold for this access when it begins
     * @param access the direction of the access
     */
    OpenCpuAccess(Client client, SharedBuffer buffer, Access access) {
        this.client = client;
        this.buffer = buffer;
        this.access = access;
    }

    /** Begins the access. It counts as begun before the heap waits for devices, because that wait may take long. */
    void begin() {
        buffer.countCpuAccess(1);
        boolean begun = false;
        try {
            buffer.memory().beginCpuAccess(access);
            begun = true;
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw buffer.failed("beginCpuAccess", e);
        } finally {
            if (!begun) {
                buffer.countCpuAccess(-1);
            }
        }
    }

    @Override
    public void close() {
        if (beginEnd()) {
            try {
                finish();
            } finally {
                if (!dropped) {
                    ended = false;
                }
            }
        }
        client.forget(this);
    }

    /**
     * Does the remaining steps. The hold is dropped only after the heap was called, whether or not that call failed.
     */
    private void finish() {
        try {
            if (!heapCalled) {
                endAccess();
            }
        } finally {
            if (heapCalled && !dropped) {
                buffer.drop();
                dropped = true;
            }
        }
    }

    private void endAccess() {
        HeapBuffer held = buffer.memory();
        buffer.countCpuAccess(-1);
        heapCalled = true;
        try {
            held.endCpuAccess(access);
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) {
            throw buffer.failed("endCpuAccess", e);
        }
    }

    @Override
    public void end() {
        try {
            close();
        } catch (HeapException e) { // its hold is dropped anyway
            warn(e);
        }
    }

    @Override
    public Reaper reclaim() {
        Reaper has = handOver(buffer.reaper(), this);
        client.forget(this);
        return has;
    }

    @Override
    public void perform() {
        try {
            finish();
        } catch (HeapException e) { // includes heaps whose bundle is gone
            warn(e);
        }
    }

    private void warn(HeapException e) {
        LOG.warn("{}: failed to end a CPU access that was left open", buffer, e);
    }

    @Override
    public String what() {
        return "the end of a " + this;
    }

    @Override
    public long bytes() {
        return buffer.size();
    }

    @Override
    public String toString() {
        return "CPU access for " + access + " to a " + buffer;
    }
}
