// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import java.util.Optional;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * File descriptor with one owner: closed once, by the first caller, and never again under the same number. Descriptor
 * numbers are used again at once after a close, so the owning object and never the number is the descriptor's identity.
 *
 * <p>Any thread may call any method; that no thread uses the number while another closes it is up to the caller.
 */
public final class OwnedFd implements AutoCloseable {
    /** What closes a descriptor. Called by the thread that closes or detaches it, under no lock. */
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
         * Reports that the owner gave the number away.
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
     * Makes an owner ahead of its descriptor, so that a shortage of memory cannot lose a descriptor that comes. It is
     * as if closed until {@link #own}.
     *
     * @param closer closes the descriptor
     * @param peers the rule of the heap whose memory is behind it, empty when there is none
     * @return an owner without a descriptor
     */
    public static OwnedFd awaiting(Closer closer, Optional<PeerRule> peers) {
        return new OwnedFd(GONE, closer, peers);
    }

    /**
     * Takes ownership of a descriptor. Called once, before any other thread has this object.
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
     * The number, lent: it is valid until {@link #close()} or {@link #detach()}.
     *
     * @return a descriptor number
     * @throws IllegalStateException when closed or detached
     */
    public int fd() {
        return open(number);
    }

    /**
     * Gives the number away, for instance to a native library that will close it. {@link #close()} does nothing then.
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
     * The rule of the heap whose memory is behind the descriptor, so that a sender of the descriptor can keep to it. A
     * number that was detached has left its rule behind.
     *
     * @return empty for a descriptor from elsewhere, and for a heap without {@link HeapProperties#PEERS}
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
