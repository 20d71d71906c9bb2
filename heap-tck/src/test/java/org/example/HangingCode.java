// SPDX-License-Identifier: Apache-2.0
package org.example;

import java.util.concurrent.CountDownLatch;

/** Code of a vendor that does not return. It is outside of the kit's package, as a heap's code is. */
public final class HangingCode {
    private HangingCode() {}

    /** Waits, and ignores interrupts, as a system call that hangs does. */
    public static void until(CountDownLatch released) {
        boolean over = false;
        while (!over) {
            try {
                released.await();
                over = true;
            } catch (InterruptedException e) {
                // it goes on
            }
        }
    }
}
