// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.EnumMap;
import java.util.Map;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.RegionMap;

/**
 * Drawing of a region for a terminal. Each character stands for an equal share of the region and shows the state of
 * most of the share. A share that is partly in use is never shown as free. If the heap reports the buffers of the
 * stretches, a letter marks the largest stretch of that state in the share. A legend then names client and buffer.
 */
final class RegionDrawing {
    private static final int ROWS = 8;
    private static final String GAP = "  ";
    private static final RegionMap.State[] STATES = RegionMap.State.values();

    private final String heap;
    private final int width;
    private final long size;
    /** Bytes by share and state. */
    private final long[][] shares;

    /** Size of the largest stretch by share and state, in bytes, and the character for it. */
    private final long[][] largest;

    private final char[][] marks;

    private final Map<RegionMap.State, Long> sums = new EnumMap<>(RegionMap.State.class);
    private final RegionLegend legend = new RegionLegend();

    /**
     * Draws a region.
     *
     * @param heap name of the heap
     * @param region snapshot; it is not used after this call
     * @param width number of characters in a line
     */
    RegionDrawing(String heap, RegionMap region, int width) {
        this.heap = heap;
        this.width = width;
        this.size = region.size();
        this.shares = new long[(int) Math.min((long) width * ROWS, size / Bytes.PAGE)][STATES.length];
        this.largest = new long[shares.length][STATES.length];
        this.marks = new char[shares.length][STATES.length];
        region.forEachStretch(this::add);
    }

    private void add(RegionMap.Stretch stretch) {
        int state = stretch.state().ordinal();
        sums.merge(stretch.state(), stretch.size(), Long::sum);
        char mark = legend.add(stretch, mark(stretch.state()));
        long offset = stretch.offset();
        long end = offset + stretch.size();
        for (int share = share(offset); share < shares.length && start(share) < end; share++) {
            long bytes = Math.min(end, start(share + 1)) - Math.max(offset, start(share));
            shares[share][state] += bytes;
            if (bytes > largest[share][state]) {
                largest[share][state] = bytes;
                marks[share][state] = mark;
            }
        }
    }

    /** Rounds to whole pages: shares differ by at most one page. */
    private long start(int share) {
        long pages = size / Bytes.PAGE;
        return (pages / shares.length * share + pages % shares.length * share / shares.length) * Bytes.PAGE;
    }

    private int share(long offset) {
        int share = (int) ((double) offset / size * shares.length);
        while (share > 0 && start(share) > offset) {
            share--;
        }
        while (start(share + 1) <= offset) {
            share++;
        }
        return share;
    }

    private static char mark(RegionMap.State state) {
        return switch (state) {
            case FREE -> '.';
            case USED -> '#';
            case DIRTY -> '~';
            case QUARANTINED -> '!';
        };
    }

    /** {@return a short text for a state} */
    static String word(RegionMap.State state) {
        return switch (state) {
            case FREE -> "free";
            case USED -> "used";
            case DIRTY -> "to be zeroed";
            case QUARANTINED -> "held elsewhere";
        };
    }

    private char markOf(int share) {
        long[] bytes = shares[share];
        int most = 0; // free
        for (int state = 1; state < bytes.length; state++) {
            if (bytes[state] > 0 && (most == 0 || bytes[state] > bytes[most])) {
                most = state;
            }
        }
        return bytes[most] == 0 ? mark(STATES[most]) : marks[share][most];
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append(heap).append(": ").append(Bytes.text(size));
        text.append(", ").append(Bytes.text(size / shares.length)).append(" a character\n");
        for (int share = 0; share < shares.length; share++) {
            text.append(markOf(share));
            if ((share + 1) % width == 0 || share + 1 == shares.length) {
                text.append('\n');
            }
        }
        int column = 0;
        for (RegionMap.State state : STATES) {
            String sum = sum(state);
            boolean fits = column == 0 || column + GAP.length() + sum.length() <= Table.WIDTH;
            text.append(column == 0 ? "" : fits ? GAP : "\n").append(sum);
            column = sum.length() + (fits && column > 0 ? column + GAP.length() : 0);
        }
        String names = legend.toString();
        return text + (names.isEmpty() ? "" : "\n" + names);
    }

    private String sum(RegionMap.State state) {
        String letters = legend.names(state) ? (state == RegionMap.State.USED ? "A-Z " : "a-z ") : "";
        return letters + mark(state) + ' ' + word(state) + ' ' + Bytes.text(sums.getOrDefault(state, 0L));
    }
}
