// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Size in bytes up to which memory is physically contiguous. The component property {@code heap.contiguous.max}, see
 * {@link org.dmabuf.heap.HeapProperties#CONTIGUOUS_MAX}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapContiguousMax {
    /** {@return the value of {@code heap.contiguous.max}} */
    long value();
}
