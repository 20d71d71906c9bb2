// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.RegionMap.State;
import org.dmabuf.heap.spi.RegionMap.Stretch;

/**
 * Legend of a drawing: letters and the stretches that they stand for. Capitals mark buffers in use. Small letters mark
 * quarantined ranges, which a holder elsewhere may still access. When the letters are used up, a stretch has the mark
 * of its state.
 */
final class RegionLegend {
    private static final int LETTERS = 26;

    private record Named(char letter, Stretch stretch) {}

    private final List<Named> named = new ArrayList<>();
    private final Map<State, Integer> letters = new EnumMap<>(State.class);
    private int others;
    private long otherBytes;

    /**
     * Adds the next stretch.
     *
     * @param stretch stretch of the region
     * @param mark mark of its state
     * @return the character for the stretch
     */
    char add(Stretch stretch, char mark) {
        if (stretch.client().isEmpty() && stretch.buffer().isEmpty()) {
            return mark;
        }
        int used = letters.merge(stretch.state(), 1, Integer::sum);
        if (used > LETTERS) {
            others++;
            otherBytes += stretch.size();
            return mark;
        }
        char letter = (char) ((stretch.state() == State.USED ? 'A' : 'a') + used - 1);
        named.add(new Named(letter, stretch));
        return letter;
    }

    /** {@return whether any stretch of a state has a letter} */
    boolean names(State state) {
        return letters.containsKey(state);
    }

    /** {@return a line for each letter; empty if the heap reports no buffer} */
    @Override
    public String toString() {
        ClientNames names = new ClientNames(
                named.stream().flatMap(one -> one.stretch().client().stream()).toList());
        Table table = Table.withoutHeadings("LETTER", "…CLIENT", "BUFFER…", "SIZE ", "STATE");
        for (Named one : named) {
            Stretch stretch = one.stretch();
            table.row(
                    String.valueOf(one.letter()),
                    stretch.client().map(names::of).orElse("-"),
                    stretch.buffer().map(name -> "'" + name + "'").orElse("-"),
                    Bytes.text(stretch.size()),
                    stretch.state() == State.USED ? "" : RegionDrawing.word(stretch.state()));
        }
        return table.within(Table.WIDTH) + (others == 0 ? "" : "\nand " + others + " more, " + Bytes.text(otherBytes));
    }
}
