// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import aQute.bnd.service.diff.Delta;
import aQute.bnd.version.Version;

/** Part of a package's version that a change raises. */
enum Bump {
    NONE,
    MICRO,
    MINOR,
    MAJOR;

    static Bump of(Delta delta) {
        return switch (delta) {
            case IGNORED, UNCHANGED -> NONE;
            case CHANGED, MICRO -> MICRO;
            case MINOR, ADDED -> MINOR;
            case MAJOR, REMOVED -> MAJOR;
        };
    }

    /** {@return the version of a package with such a change} */
    Version after(Version kept) {
        return switch (this) {
            case NONE -> kept;
            case MICRO -> new Version(kept.getMajor(), kept.getMinor(), kept.getMicro() + 1);
            case MINOR -> new Version(kept.getMajor(), kept.getMinor() + 1, 0);
            case MAJOR -> new Version(kept.getMajor() + 1, 0, 0);
        };
    }
}
