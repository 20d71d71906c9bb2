// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Attempt;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.Bytes;
import org.dmabuf.heap.linux.Descriptors;
import org.dmabuf.heap.linux.Peers;
import org.dmabuf.heap.spi.HeapBuffer;
import org.osgi.framework.InvalidSyntaxException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Carries one request from heap to heap until one gives a buffer, or all have refused. */
final class Allocator {
    private static final Logger LOG = LoggerFactory.getLogger(Allocator.class);

    private final HeapTable table;
    private final Reaper reaper;
    private final Descriptors descriptors;
    private final Optional<Peers> peers;

    Allocator(HeapTable table, Reaper reaper, Descriptors descriptors, Peers peers) {
        this.table = table;
        this.reaper = reaper;
        this.descriptors = descriptors;
        this.peers = Optional.of(peers);
    }

    /**
     * Allocates for a client.
     *
     * @param client will hold the buffer
     * @param request what it wants
     * @return the client's reference
     * @throws HeapException when no heap gave a buffer
     */
    DmaBuf allocate(Client client, AllocationRequest request) {
        client.requireActive();
        Walk walk = new Walk(client, new CheckedRequest(request), table.routes());
        Lease lease;
        if (request.mask().isPresent()) {
            lease = walk.byMask(request.mask().getAsLong());
        } else if (!request.heaps().isEmpty()) {
            lease = walk.byName(request.heaps());
        } else {
            lease = walk.inOrder();
        }
        if (lease == null) {
            throw walk.refusal();
        }
        return lease;
    }

    /** One request on its way, over the routes of one moment. */
    private final class Walk {
        private final Client client;
        private final CheckedRequest wanted;
        private final AllocationRequest request;
        private final Routes routes;

        /** Every heap looked at so far, which for most requests is none: the first gives the buffer. */
        private List<Attempt> attempts = List.of();

        private HeapException last;

        Walk(Client client, CheckedRequest wanted, Routes routes) {
            this.client = client;
            this.wanted = wanted;
            this.request = wanted.request();
            this.routes = routes;
        }

        Lease byMask(long mask) {
            for (long places = routes.places(mask); places != 0; places &= places - 1) {
                Lease lease = ask(routes.first(places));
                if (lease != null) {
                    return lease;
                }
            }
            return null;
        }

        Lease byName(List<String> names) {
            for (int i = 0; i < names.size(); i++) {
                Heap heap = routes.named(names.get(i));
                if (heap == null) {
                    refused(names.get(i), Errno.ENODEV, whyNot(names.get(i)));
                    continue;
                }
                Lease lease = ask(heap);
                if (lease != null) {
                    return lease;
                }
            }
            return null;
        }

        Lease inOrder() {
            for (int turn = 0; turn < routes.size(); turn++) {
                Lease lease = ask(routes.inOrder(turn));
                if (lease != null) {
                    return lease;
                }
            }
            return null;
        }

        /** A lease, or null when the next heap may be asked. */
        private Lease ask(Heap heap) {
            String unsuitable = unsuitable(heap);
            if (unsuitable != null) {
                refused(heap.name(), Errno.ENODEV, unsuitable);
                return null;
            }
            int ticket = heap.gate().enter();
            if (ticket == Gate.REFUSED) {
                refused(heap.name(), Errno.ENODEV, "it is leaving and takes no more requests");
                return null;
            }
            Buffer buffer;
            try {
                buffer = accepted(heap, heap.exporter().allocate(wanted));
            } catch (HeapException e) {
                refused(heap.name(), e.errno(), reason(heap, e));
                last = e;
                if (e.errno() == Errno.ENOMEM || e.errno() == Errno.ENODEV) {
                    return null;
                }
                throw ended(heap, e.errno());
            } catch (VirtualMachineError e) {
                throw e;
            } catch (Throwable e) {
                LOG.error("heap '{}' failed in allocate; report that to its vendor", heap.name(), e);
                refused(heap.name(), Errno.EIO, "its code failed with " + e + "; report that to its vendor");
                last = new HeapException(Errno.EIO, heap.name(), e.toString(), e);
                throw ended(heap, Errno.EIO);
            } finally {
                heap.gate().leave(ticket);
            }
            return client.keep(new Lease(client, buffer));
        }

        private Buffer accepted(Heap heap, HeapBuffer memory) {
            if (memory == null) {
                throw broken(heap, "returned no buffer");
            }
            Buffer buffer = null;
            try {
                long size = memory.size();
                if (size < wanted.size()) {
                    throw broken(heap, "returned a buffer of " + size + " bytes for one of " + wanted.size());
                }
                buffer = new Buffer(
                        memory,
                        size,
                        heap.description(),
                        new Charge(heap.account(), size),
                        request.exportable(),
                        request.name(),
                        reaper,
                        descriptors,
                        peers);
            } finally {
                if (buffer == null) {
                    giveBack(heap, memory);
                }
            }
            return buffer;
        }

        private void giveBack(Heap heap, HeapBuffer memory) {
            try {
                memory.release();
            } catch (Throwable e) {
                LOG.error("heap '{}': release of a buffer that was not taken failed", heap.name(), e);
            }
        }

        private HeapException broken(Heap heap, String how) {
            LOG.error("heap '{}' {}; report that to its vendor", heap.name(), how);
            return new HeapException(
                    Errno.EIO, heap.name(), "heap '" + heap.name() + "' " + how + "; report that to its vendor");
        }

        /** Why a heap does not meet the request, or null when it does. */
        private String unsuitable(Heap heap) {
            HeapDescription description = heap.description();
            if (!description.emulates().isEmpty() && !request.emulations().containsAll(description.emulates())) {
                return "it only emulates " + String.join(" and ", description.emulates()) + "; accept that with"
                        + " allowEmulated(\"" + String.join("\", \"", description.emulates()) + "\")";
            }
            if (request.alignment() > description.alignment()) {
                return "it aligns to " + Bytes.text(description.alignment()) + " at most, not to "
                        + Bytes.text(request.alignment());
            }
            if (request.exportable() && !request.exports().writes() && !description.readOnlyExport()) {
                return "it cannot export a descriptor through which nobody can write";
            }
            return request.requirement().isPresent() ? unmet(heap, request.requirement().get()) : null;
        }

        private String unmet(Heap heap, String filter) {
            try {
                boolean emulations = !heap.description().emulates().isEmpty();
                return routes.meets(heap, filter, emulations) ? null : "it does not meet " + filter;
            } catch (InvalidSyntaxException e) {
                throw new HeapException(
                        Errno.EINVAL, "", "the requirement '" + filter + "' is no filter: " + e.getMessage(), e);
            }
        }

        /** Why nobody serves under a name. */
        private String whyNot(String name) {
            for (Routes.Listed listed : routes.listed()) {
                if (listed.heap().name().equals(name)) {
                    return listed.reason();
                }
            }
            return "there is no such heap; " + serving();
        }

        private String serving() {
            String names = IntStream.range(0, routes.size())
                    .mapToObj(turn -> routes.inOrder(turn).name())
                    .collect(Collectors.joining(", "));
            return names.isEmpty() ? "none serves; install one, for instance heap-system" : "there are: " + names;
        }

        /** What a heap said, without the name that most begin with: whoever tells it has named the heap. */
        private String reason(Heap heap, HeapException refusal) {
            String said = refusal.getMessage();
            if (said == null) {
                return refusal.errno().meaning();
            }
            String itself = "heap '" + heap.name() + "'";
            return said.startsWith(itself) ? said.substring(itself.length()).replaceFirst("^:? ", "") : said;
        }

        private void refused(String heap, Errno errno, String reason) {
            if (attempts.isEmpty()) {
                attempts = new ArrayList<>();
            }
            attempts.add(new Attempt(heap, errno, reason));
        }

        /** A refusal that no other heap can mend. */
        private HeapException ended(Heap heap, Errno errno) {
            return new HeapException(errno, heap.name(), sentence(), last, attempts);
        }

        /** All have refused. Out of memory is what the caller can act on, so it wins over heaps that were skipped. */
        HeapException refusal() {
            for (Attempt attempt : attempts) {
                if (attempt.errno() == Errno.ENOMEM) {
                    return new HeapException(Errno.ENOMEM, attempt.heap(), sentence(), last, attempts);
                }
            }
            String heap = attempts.size() == 1 ? attempts.getFirst().heap() : "";
            return new HeapException(Errno.ENODEV, heap, sentence(), last, attempts);
        }

        private String sentence() {
            String size = "a buffer of " + Bytes.text(wanted.size());
            if (attempts.isEmpty()) {
                return request.mask().isPresent() && routes.size() > 0
                        ? "no heap for " + size + ": none has its id in mask 0x"
                                + Long.toHexString(request.mask().getAsLong()) + "; " + serving()
                        : "no heap for " + size + ": " + serving();
            }
            if (attempts.size() == 1) {
                Attempt only = attempts.getFirst();
                String itself = "heap '" + only.heap() + "'";
                return last != null && last.getMessage() != null && last.getMessage().startsWith(itself)
                        ? last.getMessage()
                        : itself + " gives no " + size.substring(2) + ": " + only.reason();
            }
            return attempts.stream()
                    .map(attempt -> attempt.heap() + ": " + attempt.reason())
                    .collect(Collectors.joining("; ", "no heap gave " + size + ". ", ""));
        }
    }
}
