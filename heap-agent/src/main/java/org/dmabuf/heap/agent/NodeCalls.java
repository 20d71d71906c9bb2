// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.seccomp.SeccompListener;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.nativeclient.protocol.Reply;

/**
 * Ioctls on the nodes of one client, which wait for the gateway. Each struct is copied once, and only the copy is
 * checked and used.
 *
 * <p>A client's process can write its structs, but cannot close a descriptor that it does not know. So the copy is
 * written back as a test before the gateway allocates, and the descriptor is added at the very end.
 */
final class NodeCalls {
    private static final QuietLog LOG = new QuietLog(NodeCalls.class);

    private final Syscalls syscalls;
    private final SeccompListener listener;
    private final Client client;
    private final GatewaySession gateway;
    private final Counters counters;
    private final Set<String> logged = ConcurrentHashMap.newKeySet();

    NodeCalls(Syscalls syscalls, SeccompListener listener, Client client, GatewaySession gateway, Counters counters) {
        this.syscalls = syscalls;
        this.listener = listener;
        this.client = client;
        this.gateway = gateway;
        this.counters = counters;
    }

    /** {@return whether a node with this interface has the ioctl} */
    static boolean isNumber(Abi abi, int command) {
        return abi.allocates(command) || isQuery(abi, command) || isTooLong(abi, command);
    }

    private static boolean isQuery(Abi abi, int command) {
        return abi == Abi.ION && command == Abi.ION_QUERY;
    }

    /** ION checks the size of the struct before the number. */
    private static boolean isTooLong(Abi abi, int command) {
        return abi == Abi.ION && Abi.size(command) > IonQuery.BYTES;
    }

    /**
     * Answers a call, which waits for the gateway.
     *
     * @param lead passed to another thread if the wait is long
     */
    void answer(CallSpace space, Node node, Lead lead) {
        try {
            if (node.abi().allocates(space.command())) {
                allocate(space, node, lead);
            } else if (isQuery(node.abi(), space.command())) {
                end(space, query(space, lead));
            } else {
                end(space, -Errno.EINVAL.number());
            }
        } catch (GatewayRefusal e) {
            if (logged.add(node.path() + e.status())) {
                LOG.warn("{} of {}: {}", node, client, e.getMessage());
            }
            end(space, node.abi().refusal(e.status()));
        }
    }

    /** Answers a call that the agent has no means to serve. */
    void refuse(CallSpace space, Node node) {
        end(space, node.abi().refusal(-Errno.ENOMEM.number()));
    }

    private void allocate(CallSpace space, Node node, Lead lead) throws GatewayRefusal {
        Abi abi = node.abi();
        int in = abi.bytesIn(space.command());
        int out = abi.bytesOut(space.command());
        space.struct.fill((byte) 0);
        if (!read(space, in)) {
            end(space, -Errno.EFAULT.number());
            return;
        }
        int valid = abi.check(space.struct);
        if ((valid == 0 || abi.writesRefused()) && !write(space, out)) {
            end(space, -Errno.EFAULT.number());
        } else if (valid != 0) {
            end(space, valid);
        } else {
            long mask = abi.mask(space.struct);
            long length = abi.length(space.struct);
            try (Memory memory = gateway.allocate(node, mask, length, space.process(), lead)) {
                handOver(space, abi, memory);
            }
        }
    }

    private void handOver(CallSpace space, Abi abi, Memory memory) {
        int access = abi.access(space.struct);
        if (!memory.memfd() || access == Abi.O_RDWR) { // the kernel opens a dma-buf again for no other access
            handOver(space, abi, memory.descriptor());
            return;
        }
        int opened = syscalls.open("/proc/self/fd/" + memory.descriptor().fd(), access | Abi.O_CLOEXEC);
        if (opened < 0) {
            end(space, -Errno.ENOMEM.number());
            return;
        }
        try (OwnedFd restricted = OwnedFd.of(opened, syscalls::close)) {
            handOver(space, abi, restricted);
        }
    }

    private void handOver(CallSpace space, Abi abi, OwnedFd descriptor) {
        int added = listener.addDescriptor(space.call, descriptor.fd(), abi.closesOnExec(space.struct));
        if (added == -Errno.ENOENT.number()) {
            counters.vanished.increment();
        } else if (added < 0) {
            end(space, added);
        } else {
            abi.setDescriptor(space.struct, added);
            int result = write(space, abi.bytesOut(space.command())) ? 0 : -Errno.EFAULT.number();
            if (listener.answer(space.call, result)) {
                (result == 0 ? counters.allocated : counters.refused).increment();
            } else {
                counters.vanished.increment();
                counters.left.increment();
            }
        }
    }

    private int query(CallSpace space, Lead lead) throws GatewayRefusal {
        if (!read(space, IonQuery.BYTES)) {
            return -Errno.EFAULT.number();
        }
        if (!IonQuery.isValid(space.struct)) {
            return -Errno.EINVAL.number();
        }
        List<Reply.Heap> heaps = IonQuery.selectable(gateway.heaps(lead));
        long elements = IonQuery.elements(space.struct);
        int count = heaps.size();
        if (elements != 0) {
            int most = IonQuery.count(space.struct);
            if (most == 0) {
                return -Errno.EINVAL.number();
            }
            count = Math.min(count, Math.max(most, 1)); // the kernel takes the number as signed, after the first heap
            for (int i = 0; i < count; i++) {
                IonQuery.write(heaps.get(i), space.element);
                if (!writeElement(space, elements + (long) i * IonQuery.ELEMENT_BYTES)) {
                    return -Errno.EFAULT.number();
                }
            }
        }
        IonQuery.setCount(space.struct, count);
        return write(space, IonQuery.BYTES) ? 0 : -Errno.EFAULT.number();
    }

    /** Copies the struct once. Afterwards it is certain that the bytes are those of the caller. */
    private boolean read(CallSpace space, int bytes) {
        if (bytes == 0) {
            return true;
        }
        long read = space.call.read(space.address(), space.struct, bytes);
        if (read == -Errno.EPERM.number() && logged.add("EPERM")) {
            LOG.warn("reading the memory of {} failed: {}; {}", client, Errno.EPERM.meaning(), Agent.RIGHT);
        }
        return read == bytes && listener.isValid(space.call);
    }

    private boolean write(CallSpace space, int bytes) {
        return bytes == 0
                || listener.isValid(space.call) && space.call.write(space.address(), space.struct, bytes) == bytes;
    }

    private boolean writeElement(CallSpace space, long address) {
        return listener.isValid(space.call)
                && space.call.write(address, space.element, IonQuery.ELEMENT_BYTES) == IonQuery.ELEMENT_BYTES;
    }

    /** If the call is no longer valid, the answer fails, and that is the count. */
    private void end(CallSpace space, int result) {
        if (!listener.answer(space.call, result)) {
            counters.vanished.increment();
        } else if (result < 0) {
            counters.refused.increment();
        }
    }
}
