// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * Peaks of all accounts, for several monitors that reset them independently. An account has one running peak, so
 * the cost of a charge does not depend on the number of monitors. When one monitor resets its peaks, the running peaks
 * restart, and every other monitor keeps the previous values.
 */
public final class Peaks {
    /** The peaks of one monitor. Any thread may call any method. */
    public final class Book {
        /** The highest peak of each account before its running peak restarted. Guarded by the enclosing Peaks. */
        private final Map<Object, Long> before = new WeakHashMap<>();

        private Book() {}

        /** {@return a snapshot with the peak since the book was reset} */
        public UsageSnapshot of(HeapAccount account) {
            synchronized (Peaks.this) {
                return raised(account, account.snapshot());
            }
        }

        /** {@return a snapshot with the peak since the book was reset} */
        public UsageSnapshot of(ClientAccount account) {
            synchronized (Peaks.this) {
                return raised(account, account.snapshot());
            }
        }

        /** {@return a snapshot with the peak since the book was reset} */
        public UsageSnapshot of(ClientHeapAccount account) {
            synchronized (Peaks.this) {
                return raised(account, account.snapshot());
            }
        }

        private UsageSnapshot raised(Object account, UsageSnapshot now) {
            return now.withPeak(Math.max(now.peakBytes(), before.getOrDefault(account, 0L)));
        }

        /** Restarts the peaks of this book. */
        public void reset(Ledger ledger) {
            synchronized (Peaks.this) {
                ledger.heaps().forEach(account -> keep(account, account.restartPeak()));
                for (ClientAccount client : ledger.clients()) {
                    keep(client, client.restartPeak());
                    client.shares().forEach(share -> keep(share, share.restartPeak()));
                }
                before.clear();
            }
        }
    }

    /** Guarded by this. */
    private final List<Book> books = new ArrayList<>();

    /** {@return a book that begins with the running peaks; the caller closes it} */
    public synchronized Book open() {
        Book book = new Book();
        books.add(book);
        return book;
    }

    public synchronized void close(Book book) {
        books.remove(book);
    }

    private void keep(Object account, long peak) {
        for (Book book : books) {
            book.before.merge(account, peak, Math::max);
        }
    }
}
