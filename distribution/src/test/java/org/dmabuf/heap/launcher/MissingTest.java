// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class MissingTest {
    @Test
    void package_and_its_range() {
        assertEquals(
                "package org.acme.dma [1.0.0,2.0.0)",
                Missing.describe(
                        "osgi.wiring.package",
                        "(&(osgi.wiring.package=org.acme.dma)(version>=1.0.0)(!(version>=2.0.0)))"));
        assertEquals(
                "package org.acme.dma", Missing.describe("osgi.wiring.package", "(osgi.wiring.package=org.acme.dma)"));
    }

    @Test
    void bundle_from_a_version_on() {
        assertEquals(
                "bundle org.acme 1.0.0 or later",
                Missing.describe("osgi.wiring.bundle", "(&(osgi.wiring.bundle=org.acme)(bundle-version>=1.0.0))"));
    }

    @Test
    void java() {
        assertEquals("ee JavaSE 26", Missing.describe("osgi.ee", "(&(osgi.ee=JavaSE)(version=26))"));
    }

    @Test
    void unknown_filter_is_shown_unchanged() {
        assertEquals("org.acme (colour=red)", Missing.describe("org.acme", "(colour=red)"));
        assertEquals("org.acme", Missing.describe("org.acme", null));
    }
}
