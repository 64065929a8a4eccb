"""GTFS: each file a table of the reference's types, times past midnight kept, nothing left out in silence."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import pytest

from ingest.readers.gtfs_fields import FIELDS

FEED = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n01,Réseau,http://example.org,Europe/Paris\n",
    "stops.txt": '\ufeffstop_id,stop_name,stop_lat,stop_lon,location_type\r\n007,"Gare, quai 1",49.4431,1.0993,0\r\n'
    "008,Mairie,49.5,1.10000,\r\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_type,route_color\n1,01,12,3,00AA00\n2,01,001,3,000000\n",
    "trips.txt": "route_id,service_id,trip_id,direction_id\n1,10,100,0\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n100,23:59:30, 5:00:00,007,1\n"
    "100,25:10:05,25:11:00,008,2\n100,,,008,3\n",
    "calendar_dates.txt": "service_id,date,exception_type\n10,20240229,1\n10,20241231,2\n",
    "transfers.txt": "from_stop_id,to_stop_id,transfer_type\n",
}


def feed(**changes: str | None) -> bytes:
    packed = io.BytesIO()
    files = {**FEED, **{name.replace("__", "."): content for name, content in changes.items()}}
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(name, content)
    return packed.getvalue()


def bring(folder, table, content=None, **resource):
    return folder.bring(content or feed(), name="gtfs.zip", read={"table": table}, **resource)


def types(receipt) -> dict[str, str]:
    return {column["name"]: column["type"] for column in receipt["columns"]}


def test_each_file_with_rows_is_a_table(folder):
    said = folder.bring(feed(), name="gtfs.zip")
    assert "holds 6 tables: 'agency', 'stops', 'routes', 'trips', 'stop_times', 'calendar_dates'; choose one" in said


def test_what_is_left_out_is_named(folder):
    receipt = bring(folder, "agency", feed(notes__md="x", other__txt="a,b\n1,2\n"))
    assert receipt["dialect"]["left_out"] == "transfers.txt (no rows), notes.md, other.txt"
    assert (receipt["format"], receipt["dialect"]["file"]) == ("gtfs", "agency.txt")


def test_times_past_midnight_are_kept_and_counted(folder):
    receipt = bring(folder, "stop_times")
    assert types(receipt) == {
        "trip_id": "text",
        "arrival_time": "text",
        "arrival_time_seconds": "integer",
        "departure_time": "text",
        "departure_time_seconds": "integer",
        "stop_id": "text",
        "stop_sequence": "integer",
    }
    assert folder.rows(columns="arrival_time, arrival_time_seconds, departure_time, departure_time_seconds") == [
        ("23:59:30", 86370, " 5:00:00", 18000),
        ("25:10:05", 90605, "25:11:00", 90660),
        (None, None, None, None),
    ]


def test_ids_and_colours_stay_text_and_places_are_numbers(folder):
    assert types(bring(folder, "stops")) == {
        "stop_id": "text",
        "stop_name": "text",
        "stop_lat": "float",
        "stop_lon": "float",
        "location_type": "integer",
    }
    assert folder.rows() == [("007", "Gare, quai 1", 49.4431, 1.0993, 0), ("008", "Mairie", 49.5, 1.1, None)]
    bring(folder, "routes")
    assert folder.rows() == [("1", "01", "12", 3, "00AA00"), ("2", "01", "001", 3, "000000")]


def test_dates_are_dates(folder):
    assert types(bring(folder, "calendar_dates")) == {"service_id": "text", "date": "date", "exception_type": "integer"}
    assert folder.rows(columns="date") == [(dt.date(2024, 2, 29),), (dt.date(2024, 12, 31),)]


def test_a_row_that_breaks_its_type_is_rejected_by_its_line(folder):
    days = ["20240229,1", "20230229,1", "2024-03-01x,1", "20240301,x", "20240302,1", "20240303,2"]
    dates = "\n".join(["service_id,date,exception_type", *(f"10,{day}" for day in days)])
    receipt = bring(folder, "calendar_dates", feed(calendar_dates__txt=dates))
    assert [(one["line"], one["reason"]) for one in receipt["rejects"]] == [
        (3, "date: expected date, found 2023-02-29"),
        (4, "date: expected date, found 2024-03-01x"),
        (5, "exception_type: expected integer, found x"),
    ]
    assert (receipt["rows_in"], receipt["rows_out"]) == (6, 3)


@pytest.mark.parametrize("time", ["25:60:00", "1:00", "08h00", "-1:00:00", "1000:00:00", "08:00:00.5"])
def test_what_is_no_time_is_rejected(folder, time):
    content = feed(stop_times__txt=FEED["stop_times.txt"] + f"100,{time},26:00:00,008,4\n")
    receipt = bring(folder, "stop_times", content)
    assert receipt["rejects"][0]["reason"] == f"arrival_time: expected a time HH:MM:SS, found {time}"
    assert receipt["rejects"][0]["line"] == 5


@pytest.mark.parametrize(("lat", "said"), [("91", "expected a latitude"), ("4943N", "expected float")])
def test_what_is_no_place_is_rejected(folder, lat, said):
    receipt = bring(folder, "stops", feed(stops__txt=FEED["stops.txt"] + f"009,x,{lat},1.0,0\r\n"))
    assert said in receipt["rejects"][0]["reason"]


def test_what_the_steward_declares_goes_before_the_reference(folder):
    receipt = bring(folder, "routes", columns={"route_type": {"type": "text"}})
    assert types(receipt)["route_type"] == "text"


def test_a_field_that_the_reference_does_not_know_is_typed_as_in_a_csv(folder):
    receipt = bring(folder, "trips", feed(trips__txt="route_id,service_id,trip_id,km\n1,10,100,12.5\n1,10,101,3.75\n"))
    assert types(receipt)["km"] == "decimal(18,2)"


def test_a_ragged_row_is_rejected_and_a_feed_in_a_folder_is_one(folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in FEED.items():
            archive.writestr(f"feed/{name}", content + ("a\n" if name == "trips.txt" else ""))
    receipt = bring(folder, "trips", packed.getvalue())
    assert (receipt["rows_in"], receipt["rows_out"], receipt["rejected"]) == (2, 1, 1)


def test_an_error_names_the_feed_and_the_file(folder):
    said = bring(folder, "trips", feed(trips__txt='route_id,service_id\n1,"2\n'))
    assert said.startswith("sources/gtfs.zip: ")
    assert str(folder.root) not in said


def test_a_feed_without_rows_is_refused(folder):
    empty = {name.replace(".", "__"): content.split("\n")[0] + "\n" for name, content in FEED.items()}
    assert "no file of a GTFS feed with rows in it" in folder.bring(feed(**empty), name="gtfs.zip")


def test_every_field_of_the_reference_stands_once_in_its_file():
    for fields in FIELDS.values():
        names = " ".join(fields.values()).split()
        assert len(names) == len(set(names))
        assert set(fields) <= {"text", "integer", "float", "number", "date", "time", "latitude", "longitude"}
