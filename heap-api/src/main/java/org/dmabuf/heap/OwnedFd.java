// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import java.util.Optional;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * File descriptor with one owner, which closes it exactly once. The kernel reuses a descriptor number immediately after
 * a close. The identity of a descriptor is therefore the owning object, not the number.
 *
 * <p>Any thread may call any method. The caller must ensure that no thread uses the number while another thread closes
 * it.
 */
public final class OwnedFd implements AutoCloseable {
    /** Closer of a descriptor. The thread that closes or detaches the descriptor calls it, without holding a lock. */
    @ConsumerType
    @FunctionalInterface
    public interface Closer {
        /**
         * Closes a descriptor. When it throws, the descriptor is still open, and {@link OwnedFd#close} may be called
         * again.
         *
         * @param number the descriptor
         */
        void close(int number);

        /**
         * Called when the owner has detached the number.
         *
         * @param number the descriptor, which is still open
         */
        default void detached(int number) {}
    }

    private static final int GONE = -1;
    private static final VarHandle NUMBER;

    static {
        try {
            NUMBER = MethodHandles.lookup().findVarHandle(OwnedFd.class, "number", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Closer closer;
    private final Optional<PeerRule> peers;
    private volatile int number;

    private OwnedFd(int number, Closer closer, Optional<PeerRule> peers) {
        this.number = number;
        this.closer = Objects.requireNonNull(closer);
        this.peers = Objects.requireNonNull(peers);
    }

    /**
     * Takes ownership of a descriptor. {@link HeapBroker#own} does it without a closer.
     *
     * @param number an open descriptor that no other code closes
     * @param closer closes it
     * @return the descriptor's owner
     * @throws IllegalArgumentException for a negative number
     */
    public static OwnedFd of(int number, Closer closer) {
        OwnedFd owner = new OwnedFd(GONE, closer, Optional.empty());
        owner.own(number);
        return owner;
    }

    /**
     * Makes an owner before its descriptor exists, so that a shortage of memory cannot lose the descriptor. Until
     * {@link #own} it behaves like a closed one.
     *
     * @param closer closes the descriptor
     * @param peers the rule of the heap whose memory the descriptor refers to, empty for a heap without a rule
     * @return an owner without a descriptor
     */
    public static OwnedFd awaiting(Closer closer, Optional<PeerRule> peers) {
        return new OwnedFd(GONE, closer, peers);
    }

    /**
     * Takes ownership of a descriptor. Call it once, before another thread has this object.
     *
     * @param descriptor an open descriptor that no other code closes
     * @throws IllegalArgumentException for a negative number
     */
    public void own(int descriptor) {
        if (descriptor < 0) {
            throw new IllegalArgumentException("invalid descriptor = " + descriptor + ": expected 0 or more");
        }
        number = descriptor;
    }

    /**
     * Returns the number, which stays valid until {@link #close()} or {@link #detach()}.
     *
     * @return a descriptor number
     * @throws IllegalStateException when closed or detached
     */
    public int fd() {
        return open(number);
    }

    /**
     * Passes ownership of the number to the caller, for instance for a native library that closes it. Afterwards
     * {@link #close()} does nothing.
     *
     * @return a descriptor number that the caller must close
     * @throws IllegalStateException when closed or detached
     */
    public int detach() {
        int fd = open((int) NUMBER.getAndSet(this, GONE));
        closer.detached(fd);
        return fd;
    }

    /**
     * Returns the peer rule of the heap whose memory the descriptor refers to, for a sender to obey. A detached number
     * no longer has the rule.
     *
     * @return empty for a descriptor of another origin, and for a heap without {@link HeapProperties#PEERS}
     */
    public Optional<PeerRule> peers() {
        return peers;
    }

    /** Closes the descriptor. Closing twice does nothing. */
    @Override
    public void close() {
        int fd = (int) NUMBER.getAndSet(this, GONE);
        if (fd != GONE) {
            boolean called = false;
            try {
                closer.close(fd);
                called = true;
            } finally {
                if (!called) {
                    number = fd; // as the closer has left it open, it can be closed again
                }
            }
        }
    }

    private static int open(int fd) {
        if (fd == GONE) {
            throw new IllegalStateException("the descriptor was closed or detached");
        }
        return fd;
    }

    @Override
    public String toString() {
        int fd = number;
        return fd == GONE ? "closed descriptor" : "descriptor " + fd;
    }
}
