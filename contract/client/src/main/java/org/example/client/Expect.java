// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import java.util.Objects;

/** Expectations of a check. They use no library, because the kept bundle must depend only on the API. */
final class Expect {
    /** Call that must fail. */
    interface Call {
        Object make() throws Exception;
    }

    private Expect() {}

    static void same(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected " + expected + " but got " + actual);
        }
    }

    static void yes(boolean condition) {
        if (!condition) {
            throw new AssertionError("expected true but got false");
        }
    }

    /** {@return the exception that the call throws, which must be of exactly this class} */
    static <E extends Exception> E failure(Class<E> expected, Call call) {
        Object made;
        try {
            made = call.make();
        } catch (Exception e) {
            same(expected, e.getClass());
            return expected.cast(e);
        }
        throw new AssertionError("expected " + expected + " but got " + made);
    }

    /** Polls a value that another thread changes, for at most ten seconds. */
    static void soon(Object expected, Expect.Call actual) throws Exception {
        for (int i = 0; i < 1000 && !Objects.equals(expected, actual.make()); i++) {
            Thread.sleep(10);
        }
        same(expected, actual.make());
    }
}
