// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComparisonTest {
    private static final String BREAKS =
            ", which breaks bundles compiled against 1.0.0; restore it, or add a line to breaks.txt: ";

    @TempDir
    Path folder;

    @Test
    void the_same_api_of_the_same_version_has_no_problem() throws Exception {
        String type = "final class Frame { public int size() { return %d; } private int hidden%1$d; }";
        assertEquals(List.of(), problems(type.formatted(1), "1.0.0", type.formatted(2)));
    }

    @Test
    void a_removed_method_is_a_break() throws Exception {
        String kept = "@ProviderType interface Frame { int size(); void close(); }";
        String now = "@ProviderType interface Frame { int size(); }";
        assertEquals(
                List.of(
                        "acme Frame close() was removed" + BREAKS + "acme Frame close(): REASON",
                        "package acme has version 1.0.0, and since 1.0.0 acme Frame close() was removed;"
                                + " set @Version(\"2.0.0\") in its package-info.java"),
                problems(kept, "1.0.0", now));
    }

    @Test
    void a_break_that_is_listed_needs_the_next_major_version_and_no_more() throws Exception {
        String kept = "@ProviderType interface Frame { int size(); void close(); }";
        String now = "@ProviderType interface Frame { int size(); }";
        String line = "acme Frame close(): frames close themselves";
        assertEquals(List.of(), problems(kept, "2.0.0", now, "# why", "", line));
        assertEquals(
                List.of("package acme has version 1.1.0, and since 1.0.0 acme Frame close() was removed;"
                        + " set @Version(\"2.0.0\") in its package-info.java"),
                problems(kept, "1.1.0", now, line));
    }

    @Test
    void an_abstract_method_added_to_what_consumers_implement_is_a_break() throws Exception {
        String kept = "@ConsumerType interface Heap { void open(); }";
        String now = "@ConsumerType interface Heap { void open(); void trim(); }";
        assertEquals(
                List.of("acme Heap trim() was added" + BREAKS + "acme Heap trim(): REASON"),
                problems(kept, "2.0.0", now));
    }

    @Test
    void an_abstract_method_added_beside_default_methods_is_a_break() throws Exception {
        String methods = "void open(); default int a() { return 1; } default int b() { return 2; }"
                + " default int c() { return 3; } default int d() { return 4; }";
        String kept = "@ConsumerType interface Heap { " + methods + " }";
        for (String name : List.of("e", "trim", "close", "usage", "waiting", "z")) { // bnd's answer hangs on the name
            String now = "@ConsumerType interface Heap { " + methods + " void " + name + "(); }";
            assertEquals(
                    List.of("acme Heap " + name + "() was added" + BREAKS + "acme Heap " + name + "(): REASON"),
                    problems(kept, "2.0.0", now));
        }
    }

    @Test
    void a_default_method_added_to_what_consumers_implement_needs_a_minor_version() throws Exception {
        String kept = "@ConsumerType interface Heap { void open(); }";
        String now = "@ConsumerType interface Heap { void open(); default void trim() {} }";
        assertEquals(List.of(), problems(kept, "1.1.0", now));
    }

    @Test
    void a_method_added_to_what_the_provider_implements_needs_a_minor_version() throws Exception {
        String kept = "@ProviderType interface Frame { int size(); }";
        String now = "@ProviderType interface Frame { int size(); int age(); }";
        assertEquals(List.of(), problems(kept, "1.1.0", now));
        assertEquals(
                List.of("package acme has version 1.0.0, and since 1.0.0 acme Frame age() was added;"
                        + " set @Version(\"1.1.0\") in its package-info.java"),
                problems(kept, "1.0.0", now));
    }

    @Test
    void a_type_cannot_become_the_providers_together_with_the_method_that_this_would_excuse() throws Exception {
        String kept = "@ConsumerType interface Heap { void open(); }";
        String now = "@ProviderType interface Heap { void open(); void trim(); }";
        assertEquals(
                List.of("acme Heap trim() was added" + BREAKS + "acme Heap trim(): REASON"),
                problems(kept, "2.0.0", now));
    }

    @Test
    void a_changed_default_of_an_annotation_is_a_break() throws Exception {
        assertEquals(
                List.of("acme Config id() was changed (-40, +41)" + BREAKS + "acme Config id(): REASON"),
                problems(
                        "@interface Config { int id() default 40; }",
                        "2.0.0",
                        "@interface Config { int id() default 41; }"));
    }

    @Test
    void a_member_of_an_annotation_may_be_added_with_a_default_only() throws Exception {
        String kept = "@interface Config { int id(); }";
        assertEquals(List.of(), problems(kept, "1.1.0", "@interface Config { int id(); int priority() default 0; }"));
        assertEquals(
                List.of("acme Config priority() was added" + BREAKS + "acme Config priority(): REASON"),
                problems(kept, "2.0.0", "@interface Config { int id(); int priority(); }"));
    }

    @Test
    void a_changed_constant_is_a_break() throws Exception {
        assertEquals(
                List.of("acme Keys NAME was changed (-a, +b)" + BREAKS + "acme Keys NAME: REASON"),
                problems(
                        "final class Keys { public static final String NAME = \"a\"; private Keys() {} }",
                        "2.0.0",
                        "final class Keys { public static final String NAME = \"b\"; private Keys() {} }"));
    }

    @Test
    void a_changed_result_is_a_break() throws Exception {
        assertEquals(
                List.of("acme Frame size() was changed (-int, +long)" + BREAKS + "acme Frame size(): REASON"),
                problems("interface Frame { int size(); }", "2.0.0", "interface Frame { long size(); }"));
    }

    @Test
    void a_deprecation_alone_changes_no_version() throws Exception {
        String kept = "@ProviderType interface Frame { int size(); }";
        String now = "@ProviderType interface Frame { @Deprecated int size(); }";
        assertEquals(List.of(), problems(kept, "1.0.0", now));
    }

    @Test
    void a_removed_class_is_a_break() throws Exception {
        assertEquals(
                List.of("acme Frame was removed" + BREAKS + "acme Frame: REASON"),
                problems("interface Frame {}", "2.0.0", "interface Picture {}"));
    }

    @Test
    void a_version_raised_without_need_is_set_back() throws Exception {
        String type = "interface Frame { int size(); }";
        for (String version : List.of("1.0.1", "1.1.0", "2.0.0", "0.9.0")) {
            assertEquals(
                    List.of("package acme has version " + version + ", and since 1.0.0 nothing was changed;"
                            + " set @Version(\"1.0.0\") in its package-info.java"),
                    problems(type, version, type));
        }
        assertEquals(
                1,
                problems(type, "2.0.0", "interface Frame { int size(); default void end() {} }")
                        .size());
    }

    @Test
    void a_package_that_goes_or_is_for_one_bundle_only_is_a_break() throws Exception {
        String type = "interface Frame {}";
        List<String> gone = List.of("acme was removed" + BREAKS + "acme: REASON");
        assertEquals(gone, compare(jar("acme;version=1.0.0", type), jar("other", type), List.of()));
        assertEquals(
                gone,
                compare(jar("acme;version=1.0.0", type), jar("acme;version=1.0.0;scope=broker", type), List.of()));
    }

    @Test
    void a_package_that_is_for_one_bundle_only_promises_nothing() throws Exception {
        assertEquals(
                List.of(),
                compare(
                        jar("acme;version=1.0.0;scope=broker", "interface Frame {}"),
                        jar("acme;version=1.0.0;scope=broker", "interface Picture {}"),
                        List.of()));
    }

    @Test
    void a_line_for_what_is_no_break_is_stale() throws Exception {
        String type = "interface Frame {}";
        assertEquals(
                List.of("stale line 'acme Frame close()' in breaks.txt: there is no such break; remove the line"),
                problems(type, "1.0.0", type, "acme Frame close(): frames close themselves"));
    }

    @Test
    void a_line_without_a_reason_is_no_line() throws Exception {
        String type = "interface Frame {}";
        for (String line : List.of("acme Frame close():", "acme Frame close(): ", "acme Frame close()")) {
            assertEquals(
                    List.of("invalid line '" + line + "' in breaks.txt: expected PACKAGE CLASS MEMBER: REASON"),
                    problems(type, "1.0.0", type, line));
        }
    }

    @Test
    void a_break_has_one_line() throws Exception {
        assertEquals(
                List.of("two lines 'acme Frame' in breaks.txt: remove one"),
                problems("interface Frame {}", "2.0.0", "interface Picture {}", "acme Frame: a", "acme Frame: b"));
    }

    private List<String> problems(String kept, String version, String now, String... breaks) throws Exception {
        return compare(jar("acme;version=1.0.0", kept), jar("acme;version=" + version, now), List.of(breaks));
    }

    private ExportedPackages jar(String exports, String type) throws Exception {
        return ExportedPackages.of(SmallJar.of(folder, exports, type));
    }

    private static List<String> compare(ExportedPackages kept, ExportedPackages now, List<String> lines) {
        Breaks breaks = new Breaks(lines);
        List<String> problems = new ArrayList<>(new Comparison(breaks).problems(kept, now));
        problems.addAll(breaks.problems());
        return problems;
    }
}
