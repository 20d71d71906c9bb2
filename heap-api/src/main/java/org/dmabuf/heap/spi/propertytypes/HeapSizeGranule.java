// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Bytes to whose multiples the heap enlarges each buffer. The component property {@code heap.size.granule}, see
 * {@link org.dmabuf.heap.HeapProperties#SIZE_GRANULE}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapSizeGranule {
    /** {@return the value of {@code heap.size.granule}} */
    long value();
}
