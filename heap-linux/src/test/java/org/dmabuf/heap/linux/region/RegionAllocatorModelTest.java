// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.dmabuf.heap.linux.region.RegionAllocator.Figures;
import org.dmabuf.heap.linux.region.RegionAllocator.State;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Test with a million random steps in all, compared with a model that knows only the granted blocks. The space between
 * these blocks is free, and an allocation is refused only if no gap can hold it.
 */
class RegionAllocatorModelTest {
    private static final int STEPS = 200_000;

    private record Block(long offset, long size, State state) {
        long end() {
            return offset + size;
        }
    }

    /** Blocks that are not free, and the same blocks in the order in which they are chosen at random. */
    private final TreeMap<Long, Block> model = new TreeMap<>();

    private final List<Long> offsets = new ArrayList<>();
    private SplittableRandom random;
    private RegionAllocator region;
    private long regionSize;
    private long granule;
    private long cap;
    private int refused;

    @ParameterizedTest(name = "seed {0}: {1} granules of {2} pages, sizes up to {3}, alignments up to 2^{4} granules")
    @CsvSource({
        "1, 2048,  1,   64,  0",
        "2, 2048,  1,   64,  6",
        "3, 2047, 16, 2047,  9",
        "4,  301,  1,    3,  2",
        "5, 6000,  4,  700, 12"
    })
    void blocks_never_overlap_no_request_is_wrongly_refused_and_all_merge_at_the_end(
            long seed, int granules, int pages, int largest, int orders) {
        System.out.println("seed " + seed);
        random = new SplittableRandom(seed);
        granule = pages * Bytes.PAGE;
        cap = granule << orders;
        regionSize = granules * granule;
        region = new RegionAllocator("model", regionSize, granule);

        for (int step = 0; step < STEPS; step++) {
            // In waves, so that the region is both nearly empty and full at times.
            if (random.nextInt(100) < (step / 10_000 % 2 == 0 ? 60 : 35)) {
                allocate(random.nextLong(1, largest * granule + 1), granule << random.nextInt(orders + 1));
            } else if (!offsets.isEmpty()) {
                advance(random.nextInt(offsets.size()));
            }
            if (step % 250 == 0) {
                compare();
            }
        }
        assertTrue(refused > 100, "the region was never full");

        while (!offsets.isEmpty()) {
            advance(0);
        }
        compare();
        List<Block> blocks = blocks();
        assertEquals(List.of(new Block(0, regionSize, State.FREE)), blocks);
    }

    private void allocate(long size, long alignment) {
        long offset = region.allocate(size, alignment);
        long whole = alignUp(size, granule);
        if (offset < 0) {
            refused++;
            for (Block gap : gaps()) {
                long end = alignUp(gap.offset, alignment) + whole;
                assertTrue(end > gap.end(), () -> whole + " aligned to " + alignment + " fit in " + gap);
            }
            return;
        }
        assertEquals(0, offset % alignment);
        assertTrue(offset + whole <= regionSize);
        Map.Entry<Long, Block> neighbour = model.lowerEntry(offset + whole);
        assertTrue(neighbour == null || neighbour.getValue().end() <= offset, () -> offset + " lies in " + neighbour);
        model.put(offset, new Block(offset, whole, State.ALLOCATED));
        offsets.add(offset);
        assertEquals(whole, region.size(offset));
    }

    /** Takes one of the possible next steps of a block. */
    private void advance(int index) {
        long offset = offsets.get(index);
        switch (model.get(offset).state) {
            case ALLOCATED -> {
                switch (random.nextInt(4)) {
                    case 0 -> free(index);
                    case 1 -> discard(offset);
                    case 2 -> retire(offset);
                    default -> {
                        region.quarantine(offset);
                        become(offset, State.QUARANTINED);
                    }
                }
            }
            case QUARANTINED -> {
                if (random.nextBoolean()) {
                    discard(offset);
                } else {
                    retire(offset);
                }
            }
            case DIRTY -> {
                long taken = region.takeDirty();
                assertEquals(State.DIRTY, model.get(taken).state);
                become(taken, State.ZEROING);
            }
            case ZEROING -> {
                switch (random.nextInt(5)) {
                    case 0 -> discard(offset);
                    case 1 -> {
                        region.reuse(offset);
                        become(offset, State.ALLOCATED);
                    }
                    default -> free(index);
                }
            }
            case FREE -> throw new AssertionError("the model keeps none");
        }
    }

    private void discard(long offset) {
        region.discard(offset);
        become(offset, State.DIRTY);
    }

    private void retire(long offset) {
        region.retire(offset);
        become(offset, State.ZEROING);
    }

    private void become(long offset, State state) {
        model.computeIfPresent(offset, (key, block) -> new Block(key, block.size, state));
    }

    private void free(int index) {
        long offset = offsets.get(index);
        region.free(offset);
        model.remove(offset);
        long last = offsets.removeLast();
        if (index < offsets.size()) {
            offsets.set(index, last);
        }
    }

    /** Gaps that the model leaves free, merged. */
    private List<Block> gaps() {
        List<Block> gaps = new ArrayList<>();
        long end = 0;
        for (Block block : model.values()) {
            if (end < block.offset) {
                gaps.add(new Block(end, block.offset - end, State.FREE));
            }
            end = block.end();
        }
        if (end < regionSize) {
            gaps.add(new Block(end, regionSize - end, State.FREE));
        }
        return gaps;
    }

    private List<Block> blocks() {
        List<Block> blocks = new ArrayList<>();
        region.forEachBlock((offset, size, state) -> blocks.add(new Block(offset, size, state)));
        return blocks;
    }

    private void compare() {
        List<Block> gaps = gaps();
        TreeMap<Long, Block> expected = new TreeMap<>(model);
        gaps.forEach(gap -> assertNull(expected.put(gap.offset, gap)));
        assertEquals(List.copyOf(expected.values()), blocks());

        Figures figures = region.figures(cap);
        assertEquals(gaps.stream().mapToLong(Block::size).sum(), figures.free());
        assertEquals(gaps.stream().mapToLong(this::largest).max().orElse(0), figures.largestFree());
        assertEquals(bytes(State.DIRTY) + bytes(State.ZEROING), figures.dirty());
        assertEquals(bytes(State.QUARANTINED), figures.quarantined());
        assertEquals(expected.size(), figures.blocks());
        assertEquals(refused, figures.refused());
    }

    /** Largest size that fits into a gap. A size up to an alignment needs no larger alignment. */
    private long largest(Block gap) {
        long largest = 0;
        for (long alignment = granule; alignment <= cap; alignment *= 2) {
            long run = gap.end() - alignUp(gap.offset, alignment);
            largest = Math.max(largest, alignment < cap ? Math.min(run, alignment) : run);
        }
        return largest;
    }

    private static long alignUp(long offset, long alignment) {
        return (offset + alignment - 1) / alignment * alignment;
    }

    private long bytes(State state) {
        return model.values().stream()
                .filter(block -> block.state == state)
                .mapToLong(Block::size)
                .sum();
    }
}
