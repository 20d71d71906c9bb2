// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.EnumMap;
import java.util.Map;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.RegionMap;

/**
 * A region as it was at one moment, for a terminal: each character is an equal share of it and shows the state that
 * most of the share is in, but a share that is in use at all is never shown as free.
 */
final class RegionDrawing {
    private static final int ROWS = 8;
    private static final RegionMap.State[] STATES = RegionMap.State.values();

    private final String heap;
    private final int width;
    private final long size;
    /** Bytes by share and state. */
    private final long[][] shares;

    private final Map<RegionMap.State, Long> sums = new EnumMap<>(RegionMap.State.class);

    /**
     * Looks at a region.
     *
     * @param heap its name
     * @param region shown now, and not used later
     * @param width characters of a line
     */
    RegionDrawing(String heap, RegionMap region, int width) {
        this.heap = heap;
        this.width = width;
        this.size = region.size();
        this.shares = new long[(int) Math.min((long) width * ROWS, size / Bytes.PAGE)][STATES.length];
        region.forEachStretch(this::add);
    }

    private void add(long offset, long bytes, RegionMap.State state) {
        sums.merge(state, bytes, Long::sum);
        long end = offset + bytes;
        for (int share = share(offset); share < shares.length && start(share) < end; share++) {
            shares[share][state.ordinal()] += Math.min(end, start(share + 1)) - Math.max(offset, start(share));
        }
    }

    /** Whole pages: a share is no larger than the next by more than one. */
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

    private static char mark(long[] bytes) {
        int most = 0; // free
        for (int state = 1; state < bytes.length; state++) {
            if (bytes[state] > 0 && (most == 0 || bytes[state] > bytes[most])) {
                most = state;
            }
        }
        return mark(STATES[most]);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append(heap).append(": ").append(Bytes.text(size));
        text.append(", ").append(Bytes.text(size / shares.length)).append(" a character\n");
        for (int share = 0; share < shares.length; share++) {
            text.append(mark(shares[share]));
            if ((share + 1) % width == 0 || share + 1 == shares.length) {
                text.append('\n');
            }
        }
        String[] words = {"free", "used", "to be zeroed", "held elsewhere"};
        for (RegionMap.State state : STATES) {
            text.append(state.ordinal() == 0 ? "" : "   ")
                    .append(mark(state))
                    .append(' ')
                    .append(words[state.ordinal()])
                    .append(' ')
                    .append(Bytes.text(sums.getOrDefault(state, 0L)));
        }
        return text.toString();
    }
}
