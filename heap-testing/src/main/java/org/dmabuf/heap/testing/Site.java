// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.util.Set;

/** Place in the caller's code where an object was opened. */
final class Site {
    /** Packages to skip. The second has the default methods of the API. */
    private static final Set<String> OURS = Set.of("org.dmabuf.heap.testing", "org.dmabuf.heap");

    private final StackTraceElement place;

    private Site(StackTraceElement place) {
        this.place = place;
    }

    /** {@return the innermost call from another package} */
    static Site here() {
        return new Site(StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE)
                .walk(frames -> frames.filter(frame ->
                                !OURS.contains(frame.getDeclaringClass().getPackageName()))
                        .findFirst()
                        .orElseThrow()
                        .toStackTraceElement()));
    }

    StackTraceElement place() {
        return place;
    }

    @Override
    public String toString() {
        return "opened at " + place;
    }
}
