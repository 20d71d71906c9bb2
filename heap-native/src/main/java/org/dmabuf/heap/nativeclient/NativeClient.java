// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;

/**
 * Operations of one client that has said HELLO. The client's policy applies first, then the broker's own rules.
 */
final class NativeClient {
    /** Services that the operations of all clients use. */
    record Services(Views views, HeapMonitor monitor, Publications publications, Supplier<Policy> policy) {}

    private static final int LONGEST_FILTER = 1024;

    private final ClientId id;
    private final String origin;
    private final boolean agent;
    /** Process of the client, 0 if it is unknown. */
    private final int pid;

    private final ClientView view;
    private final Services services;

    NativeClient(ClientId id, String origin, boolean agent, int pid, ClientView view, Services services) {
        this.id = id;
        this.origin = origin;
        this.agent = agent;
        this.pid = pid;
        this.view = view;
        this.services = services;
    }

    /**
     * Performs a request.
     *
     * @return the reply, which the caller closes after it was sent
     * @throws HeapException with the reason of a refusal
     * @throws IllegalArgumentException for an invalid value
     */
    Answer perform(Request request) {
        return switch (request) {
            case Request.Hello _ ->
                throw HeapException.of(Errno.EINVAL, "HELLO is only the first request of a connection");
            case Request.Allocate allocate -> permitted(Answer.of(view.allocate(wanted(allocate))));
            case Request.Heaps(int first) -> Answer.none(heaps(first));
            case Request.Usage() -> Answer.none(usage());
            case Request.Published(int first) -> Answer.none(published(first));
            case Request.Open open -> permitted(Answer.of(open(open)));
        };
    }

    /**
     * Checks the heap's rule about peers for the client of an agent. The socket checks only the connection's user,
     * which is the agent's.
     */
    private Answer permitted(Answer answer) {
        Optional<PeerRule> rule = agent ? answer.descriptor().orElseThrow().peers() : Optional.empty();
        if (rule.isEmpty() || isUserOf(rule.get())) {
            return answer;
        }
        answer.close();
        throw HeapException.of(
                Errno.EACCES,
                rule.get().heap(),
                "client " + Printable.of(id.toString()) + " may not receive a descriptor of its memory; only uid:N with"
                        + " N in " + HeapProperties.PEERS + " of the heap's configuration may");
    }

    private boolean isUserOf(PeerRule rule) {
        return id.kind().equals("uid")
                && rule.users().stream().map(Integer::toUnsignedString).anyMatch(id.name()::equals);
    }

    private AllocationRequest wanted(Request.Allocate asked) {
        if (asked.pid() != 0 && !agent) {
            throw HeapException.of(Errno.EINVAL, "invalid pid = " + asked.pid() + ": expected 0 from a plain client");
        }
        AllocationRequest request = AllocationRequest.of(asked.size())
                .withExport(asked.readOnly() ? ExportMode.READ_ONLY : ExportMode.READ_WRITE)
                .withTimeout(Duration.ofMillis(Integer.toUnsignedLong(asked.timeoutMillis())))
                .forDevices(array(asked.devices()))
                .withDemands(asked.demands().stream().map(Demand::parse).toArray(Demand[]::new))
                .withEmulations(array(asked.emulations()));
        if (asked.alignment() != 0) {
            request = request.withAlignment(asked.alignment());
        }
        String name = BufferName.of(checked(asked.name()), asked.pid() != 0 ? asked.pid() : pid);
        if (!name.isEmpty()) {
            request = request.withName(name);
        }
        return from(request, asked);
    }

    /** Checks the client's own name for a buffer before the process is added to it. */
    private static String checked(String name) {
        return name.isEmpty()
                ? name
                : AllocationRequest.of(1).withName(name).name().orElseThrow();
    }

    /** Limits a request to the heaps that the client may use. */
    private AllocationRequest from(AllocationRequest request, Request.Allocate asked) {
        requireValid(asked.filter());
        Policy policy = services.policy().get();
        if (!asked.heaps().isEmpty()) {
            if (asked.mask() != 0) {
                throw HeapException.of(Errno.EINVAL, "the request has names and a mask of heaps: expected one of both");
            }
            asked.heaps().forEach(heap -> policy.requireHeap(heap, id));
            AllocationRequest named = request.withHeaps(array(asked.heaps()));
            return asked.filter().isEmpty() ? named : named.withRequirement(asked.filter());
        }
        String permitted = policy.heapFilter(id);
        if (!asked.filter().isEmpty()) {
            permitted = "(&" + permitted + asked.filter() + ")";
        }
        AllocationRequest limited = request.withRequirement(permitted);
        return asked.mask() == 0 ? limited : limited.withMask(asked.mask());
    }

    /** Checks a filter alone, for the message. The framework's parser calls itself for each parenthesis. */
    private static void requireValid(String filter) {
        if (filter.isEmpty()) {
            return;
        }
        if (filter.length() > LONGEST_FILTER) {
            throw HeapException.of(
                    Errno.EINVAL,
                    "invalid filter of " + filter.length() + " characters: expected at most " + LONGEST_FILTER);
        }
        try {
            AllocationRequest.of(1).withRequirement(filter);
        } catch (StackOverflowError e) {
            throw HeapException.of(Errno.EINVAL, "invalid filter: expected fewer nested parentheses");
        }
    }

    private static String[] array(List<String> texts) {
        return texts.toArray(String[]::new);
    }

    private Reply heaps(int first) {
        Policy policy = services.policy().get();
        List<Reply.Heap> heaps = view.heaps().stream()
                .filter(heap -> heap.state() == HeapState.SERVING || heap.state() == HeapState.HANGING)
                .filter(heap -> policy.heaps().permits(heap.name(), id) && permittedByBroker(heap))
                .map(NativeClient::heap)
                .toList();
        return new Reply.HeapList(heaps.size(), from(heaps, first));
    }

    /** A heap that emulates a property has a refusal of plain requests in any case. */
    private static boolean permittedByBroker(HeapInfo heap) {
        return heap.plainRefusal().isEmpty() || heap.properties().containsKey(HeapProperties.EMULATES);
    }

    private static Reply.Heap heap(HeapInfo heap) {
        boolean mappable = !Boolean.FALSE.equals(heap.properties().get(HeapProperties.MAPPABLE));
        boolean contiguous = Boolean.TRUE.equals(heap.properties().get(HeapProperties.CONTIGUOUS));
        boolean dmaBuf = Boolean.TRUE.equals(heap.properties().get(HeapProperties.DMABUF));
        UsageRecord charged = heap.charged();
        return new Reply.Heap(
                heap.name(),
                String.valueOf(heap.properties().getOrDefault(HeapProperties.TYPE, "")),
                heap.properties().get(HeapProperties.ID) instanceof Integer bit ? 1L << bit : 0,
                charged.liveBytes() + charged.lingeringBytes(),
                charged.limit().orElse(Reply.NO_QUOTA),
                mappable,
                contiguous,
                dmaBuf);
    }

    private Reply usage() {
        return services.monitor().usageByClient().stream()
                .filter(record -> record.client().equals(Optional.of(id)))
                .findFirst()
                .map(record -> new Reply.Charged(
                        record.liveBytes() + record.lingeringBytes(),
                        record.liveBuffers() + record.lingeringBuffers(),
                        record.limit().orElse(Reply.NO_QUOTA)))
                .orElse(new Reply.Charged(0, 0, Reply.NO_QUOTA));
    }

    private Reply published(int first) {
        Policy policy = services.policy().get();
        List<Reply.PublishedEntry> permitted = services.publications().list().stream()
                .filter(buffer -> policy.published().permits(buffer.name(), id))
                .toList();
        return new Reply.PublishedList(permitted.size(), from(permitted, first));
    }

    /** Returns the elements from an unsigned index. */
    private static <T> List<T> from(List<T> list, int first) {
        return list.subList((int) Math.min(Integer.toUnsignedLong(first), list.size()), list.size());
    }

    private DmaBuf open(Request.Open asked) {
        services.policy().get().requirePublished(asked.name(), id);
        return services.publications()
                .open(asked.name(), !asked.readOnly())
                .orElseThrow(() -> HeapException.of(
                        Errno.ENOENT,
                        "no buffer is published as '" + Printable.of(asked.name())
                                + "'; start the bundle that publishes it, or list the buffers by PUBLISHED"));
    }

    /** Ends the client. Its buffers stay with their holders. */
    void leave() {
        services.views().leave(id, origin);
    }

    @Override
    public String toString() {
        return Printable.of(id.toString());
    }
}
