// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * Peaks of accounts, as several monitors show them. An account keeps one running peak, so that a charge costs the same
 * however many monitors there are. When one monitor begins its peaks anew, the running peaks begin anew, and every
 * other monitor keeps what they were.
 */
public final class Peaks {
    /** The peaks of one monitor. Any thread may call any method. */
    public final class Book {
        /** The highest peak of each account before its running peak began anew. Guarded by the enclosing Peaks. */
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

        /** Begins the peaks of this book anew. */
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

    /** {@return a book that begins with the running peaks, to be closed} */
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
