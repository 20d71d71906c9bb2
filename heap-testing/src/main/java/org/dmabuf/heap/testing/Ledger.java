// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.testing.Account.Key;

/** Ledger of the charged memory and its accounts. The inventory's lock guards it. */
final class Ledger {
    private final Set<Memory> charged = new LinkedHashSet<>();
    private final Map<Key, Account> accounts = new HashMap<>();

    Account account(Key key) {
        return accounts.computeIfAbsent(key, _ -> new Account());
    }

    void charge(Memory memory) {
        charged.add(memory);
        keys(memory).forEach(key -> account(key).charge(memory.size()));
    }

    void release(Memory memory) {
        charged.remove(memory);
        keys(memory).forEach(key -> account(key).release(memory.size()));
    }

    private static List<Key> keys(Memory memory) {
        String heap = memory.heap().name();
        return List.of(Key.of(heap), Key.of(memory.client()), Key.of(memory.client(), heap));
    }

    /** {@return all charged memory, oldest first} */
    List<Memory> charged() {
        return List.copyOf(charged);
    }

    long chargedBytes(String heap) {
        return account(Key.of(heap)).charged();
    }

    /** {@return the keys of all accounts, by heap, then by client} */
    List<Key> keys() {
        return accounts.keySet().stream()
                .sorted(Comparator.comparing((Key key) -> key.heap().orElse(""))
                        .thenComparing(
                                key -> key.client().map(ClientId::toString).orElse("")))
                .toList();
    }

    boolean isCharged(Key key) {
        return account(key).charged() > 0;
    }

    void resetPeaks() {
        accounts.values().forEach(Account::resetPeak);
    }

    UsageRecord.Builder record(Key key) {
        UsageRecord.Builder record = account(key).to(UsageRecord.builder());
        key.heap().ifPresent(record::heap);
        key.client().ifPresent(record::client);
        List<Memory> all =
                charged.stream().filter(memory -> keys(memory).contains(key)).toList();
        List<Memory> lingering = all.stream().filter(Memory::lingers).toList();
        return record.live(all.size() - lingering.size(), bytes(all) - bytes(lingering))
                .lingering(lingering.size(), bytes(lingering));
    }

    private static long bytes(List<Memory> all) {
        return all.stream().mapToLong(Memory::size).sum();
    }

    List<BufferRecord> buffers() {
        long now = System.nanoTime();
        return charged.stream()
                .sorted(Comparator.comparing((Memory memory) -> memory.heap().name())) // stable: oldest first
                .map(memory -> record(memory, now))
                .toList();
    }

    private static BufferRecord record(Memory memory, long now) {
        BufferRecord.Builder record = BufferRecord.of(memory.heap().name(), memory.client(), memory.size())
                .origin(memory.origin())
                .name(memory.name())
                .open(
                        memory.count(Reference.class) + memory.count(Published.class),
                        memory.count(Mapping.class),
                        memory.count(OpenCpuAccess.class))
                .exported(memory.exported())
                .lingering(memory.lingers())
                .age(Duration.ofNanos(now - memory.since()))
                .site(List.of(memory.site().place()));
        return memory.exported() ? record.inode(OptionalLong.of(memory.inode())).build() : record.build();
    }
}
