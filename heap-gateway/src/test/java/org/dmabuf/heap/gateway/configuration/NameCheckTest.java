// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NameCheckTest {
    private final NameCheck names = new NameCheck(
            "etc",
            new Components(Map.of(
                    "org.dmabuf.heap.system", Components.ANY,
                    "org.dmabuf.heap.secure", Components.ANY,
                    "org.dmabuf.heap.carveout", Components.ANY,
                    "org.example.acme.heap", Components.ANY)));

    @ParameterizedTest
    @ValueSource(
            strings = {
                "org.dmabuf.heap.system.cfg",
                "org.dmabuf.heap.system.config",
                "org.dmabuf.heap.carveout-camera.cfg",
                "org.dmabuf.heap.carveout-camera.cfg.sample",
                "org.dmabuf.heap.system.cfg~",
                "org.dmabuf.heap.system.cfg.bak",
                "org.dmabuf.heap.system.cfg.orig",
                "gateway.properties",
                "simplelogger.properties",
                "gosh_profile",
                "other.conf",
                "readme.txt",
                "logging"
            })
    void a_correct_name_or_that_of_another_file_is_not_reported(String name) {
        assertEquals(Optional.empty(), names.finding(name));
    }

    @ParameterizedTest
    @CsvSource({
        "org.dmabuf.heap.sytem.cfg, org.dmabuf.heap.sytem, org.dmabuf.heap.system",
        "org.dmabuf.heap.System.cfg, org.dmabuf.heap.System, org.dmabuf.heap.system",
        "org.dmabuf.heap.carevout-camera.cfg, org.dmabuf.heap.carevout, org.dmabuf.heap.carveout",
        "org.example.acme.hep.cfg, org.example.acme.hep, org.example.acme.heap"
    })
    void a_name_that_is_misspelt_is_reported_with_the_nearest(String name, String pid, String near) {
        assertEquals(
                Optional.of("invalid name " + name + " in etc: expected the PID of a component, but no component has "
                        + pid + "; the nearest is " + near),
                names.finding(name));
    }

    @Test
    void an_unfamiliar_name_is_reported_without_a_suggestion() {
        assertEquals(
                Optional.of("invalid name foo.cfg in etc: expected the PID of a component, but no component has foo"),
                names.finding("foo.cfg"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "org.dmabuf.heap.system.cfg.txt",
                "org.dmabuf.heap.system.conf",
                "org.dmabuf.heap.system.CFG",
                "org.dmabuf.heap.system.Cfg",
                "org.dmabuf.heap.carveout-camera.conf",
                "org.dmabuf.heap.system.properties",
                "org.example.later.cfg.txt"
            })
    void a_name_with_another_ending_is_reported(String name) {
        assertEquals(
                Optional.of("invalid name " + name
                        + " in etc: expected a name that ends in .cfg, since other files are not read"),
                names.finding(name));
    }

    @Test
    void a_hyphen_separates_the_pid_of_a_factory_from_the_name_of_an_instance() {
        assertEquals("org.example.acme", NameCheck.pid("org.example.acme-left-one.cfg"));
        assertEquals("left-one", NameCheck.instance("org.example.acme-left-one.cfg"));
        assertEquals("org.example.acme", NameCheck.pid("org.example.acme.config"));
        assertEquals("", NameCheck.instance("org.example.acme.config"));
        assertEquals("-acme", NameCheck.pid("-acme.cfg"));
        assertEquals("", NameCheck.instance("-acme.cfg"));
    }
}
