"""The fields of GTFS Schedule and their types, by file: https://gtfs.org/documentation/schedule/reference/ (2026-04).

What the reference calls an id, a text, a URL, a colour, a code, a language or a time zone is text here; an enum is an
integer; a time is of a service day, so it may be past 24:00:00; an amount and a price are decimals.
"""

from __future__ import annotations

from typing import Final

FIELDS: Final[dict[str, dict[str, str]]] = {
    "agency": {
        "text": "agency_id agency_name agency_url agency_timezone agency_lang agency_phone agency_fare_url"
        " agency_email",
        "integer": "cemv_support",
    },
    "stops": {
        "text": "stop_id stop_code stop_name tts_stop_name stop_desc zone_id stop_url parent_station stop_timezone"
        " level_id platform_code",
        "latitude": "stop_lat",
        "longitude": "stop_lon",
        "integer": "location_type wheelchair_boarding stop_access",
    },
    "routes": {
        "text": "route_id agency_id route_short_name route_long_name route_desc route_url route_color route_text_color"
        " network_id",
        "integer": "route_type route_sort_order continuous_pickup continuous_drop_off cemv_support",
    },
    "trips": {
        "text": "route_id service_id trip_id trip_headsign trip_short_name block_id shape_id",
        "integer": "direction_id wheelchair_accessible bikes_allowed cars_allowed",
        "float": "safe_duration_factor safe_duration_offset",
    },
    "stop_times": {
        "text": "trip_id stop_id location_group_id location_id stop_headsign pickup_booking_rule_id"
        " drop_off_booking_rule_id",
        "time": "arrival_time departure_time start_pickup_drop_off_window end_pickup_drop_off_window",
        "integer": "stop_sequence pickup_type drop_off_type continuous_pickup continuous_drop_off timepoint",
        "float": "shape_dist_traveled",
    },
    "calendar": {
        "text": "service_id",
        "integer": "monday tuesday wednesday thursday friday saturday sunday",
        "date": "start_date end_date",
    },
    "calendar_dates": {"text": "service_id", "date": "date", "integer": "exception_type"},
    "fare_attributes": {
        "text": "fare_id currency_type agency_id",
        "number": "price",
        "integer": "payment_method transfers transfer_duration",
    },
    "fare_rules": {"text": "fare_id route_id origin_id destination_id contains_id"},
    "timeframes": {"text": "timeframe_group_id service_id", "time": "start_time end_time"},
    "rider_categories": {
        "text": "rider_category_id rider_category_name eligibility_url",
        "integer": "is_default_fare_category",
    },
    "fare_media": {"text": "fare_media_id fare_media_name", "integer": "fare_media_type"},
    "fare_products": {
        "text": "fare_product_id fare_product_name rider_category_id fare_media_id currency",
        "number": "amount",
    },
    "fare_leg_rules": {
        "text": "leg_group_id network_id from_area_id to_area_id from_timeframe_group_id to_timeframe_group_id"
        " fare_product_id",
        "integer": "rule_priority",
    },
    "fare_leg_join_rules": {"text": "from_network_id to_network_id from_stop_id to_stop_id"},
    "fare_transfer_rules": {
        "text": "from_leg_group_id to_leg_group_id fare_product_id",
        "integer": "transfer_count duration_limit duration_limit_type fare_transfer_type",
    },
    "areas": {"text": "area_id area_name"},
    "stop_areas": {"text": "area_id stop_id"},
    "networks": {"text": "network_id network_name"},
    "route_networks": {"text": "network_id route_id"},
    "shapes": {
        "text": "shape_id",
        "latitude": "shape_pt_lat",
        "longitude": "shape_pt_lon",
        "integer": "shape_pt_sequence",
        "float": "shape_dist_traveled",
    },
    "frequencies": {"text": "trip_id", "time": "start_time end_time", "integer": "headway_secs exact_times"},
    "transfers": {
        "text": "from_stop_id to_stop_id from_route_id to_route_id from_trip_id to_trip_id",
        "integer": "transfer_type min_transfer_time",
    },
    "pathways": {
        "text": "pathway_id from_stop_id to_stop_id signposted_as reversed_signposted_as",
        "integer": "pathway_mode is_bidirectional traversal_time stair_count",
        "float": "length max_slope min_width",
    },
    "levels": {"text": "level_id level_name", "float": "level_index"},
    "location_groups": {"text": "location_group_id location_group_name"},
    "location_group_stops": {"text": "location_group_id stop_id"},
    "booking_rules": {
        "text": "booking_rule_id prior_notice_service_id message pickup_message drop_off_message phone_number info_url"
        " booking_url",
        "time": "prior_notice_last_time prior_notice_start_time",
        "integer": "booking_type prior_notice_duration_min prior_notice_duration_max prior_notice_last_day"
        " prior_notice_start_day",
    },
    "translations": {
        "text": "table_name field_name language translation record_id record_sub_id field_value",
    },
    "feed_info": {
        "text": "feed_publisher_name feed_publisher_url feed_lang default_lang feed_version feed_contact_email"
        " feed_contact_url feed_id",
        "date": "feed_start_date feed_end_date",
    },
    "attributions": {
        "text": "attribution_id agency_id route_id trip_id organization_name attribution_url attribution_email"
        " attribution_phone",
        "integer": "is_producer is_operator is_authority",
    },
}
"""File → type → the names of its fields."""
