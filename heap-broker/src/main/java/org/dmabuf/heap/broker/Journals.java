// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.HeapState;

/** All journals there are at a moment: none in a Java without Flight Recorder and a gateway without Event Admin. */
final class Journals implements Journal {
    /** An array that nobody changes: to walk it makes no garbage. */
    private volatile Journal[] all = {};

    synchronized void add(Journal journal) {
        List<Journal> more = new ArrayList<>(List.of(all));
        more.add(journal);
        all = more.toArray(Journal[]::new);
    }

    synchronized void remove(Journal journal) {
        List<Journal> less = new ArrayList<>(List.of(all));
        less.remove(journal);
        all = less.toArray(Journal[]::new);
    }

    /** Of the one that records allocations. */
    @Override
    public Allocation allocating() {
        for (Journal journal : all) {
            Allocation allocation = journal.allocating();
            if (allocation != Allocation.UNRECORDED) {
                return allocation;
            }
        }
        return Allocation.UNRECORDED;
    }

    @Override
    public void released(String heap, String name, long size, boolean lingers) {
        for (Journal journal : all) {
            journal.released(heap, name, size, lingers);
        }
    }

    @Override
    public void leaked(String heap, String client, String name, long size, String site) {
        for (Journal journal : all) {
            journal.leaked(heap, client, name, size, site);
        }
    }

    @Override
    public void changed(String heap, String bundle, HeapState state, long buffers) {
        for (Journal journal : all) {
            journal.changed(heap, bundle, state, buffers);
        }
    }

    @Override
    public void lowMemory(String heap, long size, String reason) {
        for (Journal journal : all) {
            journal.lowMemory(heap, size, reason);
        }
    }
}
