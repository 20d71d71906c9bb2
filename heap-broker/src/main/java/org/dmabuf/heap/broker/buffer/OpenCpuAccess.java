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
 * A CPU access that has begun and not ended. It has a hold of its own, so it cannot be ended twice, nor after the
 * memory is released: begin and end always pair.
 */
final class OpenCpuAccess extends OpenResource implements CpuAccess, DeferredWork {
    private static final Logger LOG = LoggerFactory.getLogger(OpenCpuAccess.class);

    private final Access access;
    private final Client client;
    private final SharedBuffer buffer;

    /**
     * Whether the heap's end of it was called, which must not be called again. Written by the thread that ends this.
     */
    private boolean heapCalled;

    private boolean dropped;

    /**
     * Takes over one hold of the buffer, once the access has begun.
     *
     * @param client the client that begins it
     * @param buffer the buffer, with one hold for this access by then
     * @param access the direction of the access
     */
    OpenCpuAccess(Client client, SharedBuffer buffer, Access access) {
        this.client = client;
        this.buffer = buffer;
        this.access = access;
    }

    /** Begins the access. It is counted from before the wait for devices, which may take long. */
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
     * Does the steps that are not done yet. The hold is given up only when the heap was called, whatever that threw.
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
        } catch (HeapException e) { // its hold is given up all the same
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
        } catch (HeapException e) { // of a heap whose bundle is gone, too
            warn(e);
        }
    }

    private void warn(HeapException e) {
        LOG.warn("{}: ending a CPU access that was left open failed", buffer, e);
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
