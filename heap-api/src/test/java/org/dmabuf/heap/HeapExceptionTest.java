// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HeapExceptionTest {
    private static final int UNDEFINED = 4000;
    private static final Set<Errno> SHORTAGES = Set.of(
            Errno.ENOMEM,
            Errno.EAGAIN,
            Errno.EMFILE,
            Errno.ENFILE,
            Errno.ENOSPC,
            Errno.ENOLCK,
            Errno.ENOBUFS,
            Errno.ETOOMANYREFS,
            Errno.EDQUOT);

    private static Class<? extends HeapException> expected(Errno errno) {
        if (errno == Errno.EINTR || errno == Errno.EIO) {
            return HeapException.class;
        }
        return SHORTAGES.contains(errno) ? HeapShortageException.class : HeapRefusedException.class;
    }

    @ParameterizedTest
    @EnumSource
    void the_class_follows_from_the_error_number_however_it_was_made(Errno errno) {
        for (HeapException failure : List.of(
                HeapException.of(errno, "camera", "no"),
                HeapException.of(errno, "camera", "no", new RuntimeException()),
                HeapException.of(errno, "no"),
                HeapException.ofNumber(errno.number(), Optional.of("camera"), "no"),
                HeapException.ofAttempts(errno, Optional.empty(), "no", null, List.of()))) {
            assertSame(expected(errno), failure.getClass());
            assertEquals(errno, failure.errno());
            assertEquals(errno.number(), failure.number());
        }
    }

    @Test
    void the_message_begins_with_the_heap_and_the_reason_does_not() {
        HeapException failure = HeapException.of(Errno.ENOMEM, "camera", "64 KiB do not fit; close a buffer");
        assertEquals("heap 'camera': 64 KiB do not fit; close a buffer", failure.getMessage());
        assertEquals("64 KiB do not fit; close a buffer", failure.reason());
        assertEquals(Optional.of("camera"), failure.heap());
        assertEquals(List.of(), failure.attempts());
        assertNull(failure.getCause());
    }

    @Test
    void a_failure_without_a_heap_names_no_heap() {
        HeapException failure = HeapException.of(Errno.EINTR, "the wait was interrupted");
        assertEquals("the wait was interrupted", failure.getMessage());
        assertEquals("the wait was interrupted", failure.reason());
        assertEquals(Optional.empty(), failure.heap());
    }

    @Test
    void a_number_that_linux_does_not_define_is_kept_together_with_eio() {
        for (Optional<String> heap : List.of(Optional.of("camera"), Optional.<String>empty())) {
            HeapException failure = HeapException.ofNumber(UNDEFINED, heap, "write failed");
            assertSame(HeapException.class, failure.getClass());
            assertEquals(Errno.EIO, failure.errno());
            assertEquals(UNDEFINED, failure.number());
            assertEquals(heap, failure.heap());
            assertEquals("write failed", failure.reason());
        }
    }

    @Test
    void a_cause_is_kept() {
        Throwable cause = new IllegalStateException("made up");
        assertSame(cause, HeapException.of(Errno.EIO, "camera", "no", cause).getCause());
    }

    @Test
    void the_number_of_the_last_heap_is_kept_if_its_kind_equals_that_of_the_request() {
        HeapException last = HeapException.ofNumber(UNDEFINED, Optional.of("camera"), "write failed");
        List<Attempt> attempts = List.of(
                new Attempt("system", Errno.ENOMEM, "64 KiB do not fit"), new Attempt("camera", Errno.EIO, "no"));
        HeapException same = HeapException.ofAttempts(Errno.EIO, Optional.of("camera"), "no", last, attempts);
        assertEquals(UNDEFINED, same.number());
        assertSame(last, same.getCause());
        assertEquals(attempts, same.attempts());
        assertEquals("no", same.getMessage(), "a reason of several attempts names each heap itself");
        assertEquals(Optional.of("camera"), same.heap());

        HeapException other = HeapException.ofAttempts(Errno.ENOMEM, Optional.empty(), "no", last, attempts);
        assertEquals(Errno.ENOMEM.number(), other.number());
        assertThrows(UnsupportedOperationException.class, () -> other.attempts().clear());
    }

    @Test
    void an_attempt_reports_heap_kind_and_reason() {
        Attempt attempt = new Attempt("camera", Errno.ENODEV, "it is not contiguous");
        assertEquals("camera", attempt.heap());
        assertEquals(Errno.ENODEV, attempt.errno());
        assertEquals("it is not contiguous", attempt.reason());
        assertEquals("camera: ENODEV, it is not contiguous", attempt.toString());
    }

    @Test
    void nulls_are_refused() {
        assertThrows(NullPointerException.class, () -> HeapException.of(null, "camera", "no"));
        assertThrows(NullPointerException.class, () -> HeapException.of(Errno.EIO, (String) null, "no"));
        assertThrows(NullPointerException.class, () -> HeapException.of(Errno.EIO, "camera", null));
        assertThrows(NullPointerException.class, () -> HeapException.of(Errno.EIO, (String) null));
        assertThrows(NullPointerException.class, () -> HeapException.ofNumber(1, null, "no"));
        assertThrows(NullPointerException.class, () -> new Attempt(null, Errno.EIO, "no"));
        assertThrows(NullPointerException.class, () -> new Attempt("camera", null, "no"));
        assertThrows(NullPointerException.class, () -> new Attempt("camera", Errno.EIO, null));
    }

    @Test
    void it_is_equal_after_serialization() throws Exception {
        HeapException failure = HeapException.ofAttempts(
                Errno.ENOMEM,
                Optional.of("camera"),
                "no",
                null,
                List.of(new Attempt("camera", Errno.ENOMEM, "64 KiB do not fit")));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(failure);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            HeapException read = (HeapException) in.readObject();
            assertSame(HeapShortageException.class, read.getClass());
            assertEquals("heap 'camera': no", read.getMessage());
            assertEquals(Errno.ENOMEM, read.errno());
            assertEquals(failure.attempts().toString(), read.attempts().toString());
        }
    }
}
