// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.bench.BenchBroker;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Comparison of the ways of a frame to another process. */
final class ShareGroup implements Group {
    static final long LARGEST = 64 * Sizes.MIB;

    private static final long[] SIZES = {
        4096, 16 << 10, 64 << 10, 256 << 10, Sizes.MIB, 2 * Sizes.MIB, Sizes.FRAME, 16 * Sizes.MIB, LARGEST
    };
    private static final long MAPPED = 16 * Sizes.MIB;
    private static final int WARMED = 5;
    private static final String DESCRIPTOR = "descriptor";
    private static final String PIPE = "pipe";
    private static final String SOCKET = "Unix socket";

    @Override
    public String name() {
        return "share";
    }

    @Override
    public String note() {
        return """
                A frame in a buffer goes to another process, which reads every byte and answers. The descriptor is
                exported, sent by SCM_RIGHTS, received, mapped, unmapped and closed for each frame. The pipe has the
                kernel's usual 64 KiB; the peer receives bytes into memory that it keeps. The last row is the mapping
                alone, as the peer measures it.""";
    }

    @Override
    public List<Row> measure(Rounds rounds) throws IOException {
        List<Row> rows = new ArrayList<>();
        try (SharePeerProcess peer = new SharePeerProcess();
                BenchBroker broker = new BenchBroker()) {
            broker.add("memfd", MemfdSource.open("memfd", Syscalls.linux(), Headroom.machine()), Map.of());
            for (long size : SIZES) {
                rows.add(frame(rounds, peer, broker, size));
            }
            rows.add(mapping(rounds, peer, broker));
        }
        return rows;
    }

    private Row frame(Rounds rounds, SharePeerProcess peer, BenchBroker broker, long size) {
        int times = Sizes.times(size);
        for (int i = 0; i < WARMED; i++) { // cold memory takes so long that the source would give up large folios
            allocate(broker, size).close();
        }
        try (DmaBuf buffer = allocate(broker, size);
                Arena arena = Arena.ofConfined()) {
            MemorySegment frame = buffer.map(Access.READ_WRITE, arena).asSlice(0, size);
            Twin.fill(frame);
            long sum = Twin.sum(frame);
            return rounds.run(
                    name(),
                    Sizes.name(size),
                    List.of(
                            Contender.of(DESCRIPTOR, times, () -> {
                                try (OwnedFd fd = buffer.exportFd()) {
                                    check(sum, peer.pass(PeerCommand.Way.DESCRIPTOR, fd, frame));
                                }
                            }),
                            Contender.of(PIPE, times, () -> check(sum, peer.pass(PeerCommand.Way.PIPE, null, frame))),
                            Contender.of(
                                    SOCKET, times, () -> check(sum, peer.pass(PeerCommand.Way.SOCKET, null, frame)))));
        }
    }

    private Row mapping(Rounds rounds, SharePeerProcess peer, BenchBroker broker) {
        return rounds.run(
                name(),
                Sizes.name(MAPPED) + ", first mapping",
                List.of(
                        new Contender("aligned", () -> mapped(peer, broker, PeerCommand.Way.DESCRIPTOR)),
                        new Contender("not aligned", () -> mapped(peer, broker, PeerCommand.Way.UNALIGNED))));
    }

    private static double mapped(SharePeerProcess peer, BenchBroker broker, PeerCommand.Way way) {
        try (DmaBuf buffer = allocate(broker, MAPPED);
                Arena arena = Arena.ofConfined();
                OwnedFd fd = buffer.exportFd()) {
            return peer.pass(way, fd, buffer.map(Access.READ, arena)).mapped();
        }
    }

    private static DmaBuf allocate(BenchBroker broker, long size) {
        return broker.allocate(
                broker.client("bench"), AllocationRequest.of(size).withHeaps("memfd"));
    }

    private static void check(long sum, PeerCommand.Answer answer) {
        if (answer.sum() != sum) {
            throw new AssertionError("the peer read other bytes");
        }
    }

    @Override
    public String conclusion(List<Row> rows) {
        return "A descriptor is faster than a pipe " + from(rows, PIPE) + ", and than a Unix socket "
                + from(rows, SOCKET) + ".";
    }

    /** {@return the size from which all measured frames are faster by a descriptor} */
    private static String from(List<Row> rows, String other) {
        String from = "";
        for (Row row : rows.reversed()) {
            if (row.series(other).isPresent()) {
                if (median(row, DESCRIPTOR) >= median(row, other)) {
                    break;
                }
                from = row.name();
            }
        }
        return from.isEmpty() ? "at no measured size" : "from " + from + " on";
    }

    private static double median(Row row, String contender) {
        return row.series(contender).orElseThrow().quantiles().median();
    }
}
