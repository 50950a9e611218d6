"""Writers of grid files: the same figures in the dress of each layout. The inverse of `service.grid.layouts`, for round trips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.signal import Series

Cells = Sequence[Sequence[int | None]]
"""Figures line by line, in the order of the dress's series; None: not given."""

_COMPANY: tuple[Series, ...] = (
    "demand_w",
    "nuclear_w",
    "thermal_w",
    "hydro_w",
    "geothermal_w",
    "biomass_w",
    "solar_w",
    "solar_curtailed_w",
    "wind_w",
    "wind_curtailed_w",
    "pumped_w",
    "interconnect_w",
)
_HALF_HOURLY: tuple[Series, ...] = (
    *_COMPANY[:2],
    "thermal_lng_w",
    "thermal_coal_w",
    "thermal_oil_w",
    "thermal_other_w",
    *_COMPANY[3:11],
    "battery_w",
    "interconnect_w",
    "other_w",
)


def _one_column(at: datetime, _: bool) -> str:
    return f"{at.year}/{at.month}/{at.day} {at.hour}:{at.minute:02}"


def _two_columns(at: datetime, _: bool) -> str:
    return f"{at.year}/{at.month}/{at.day},{at.hour}:{at.minute:02}"


def _padded(at: datetime, _: bool) -> str:
    return f"{at:%Y/%m/%d,%H:%M}"


def _date_once(at: datetime, first: bool) -> str:
    return (f"{at.year}/{at.month}/{at.day}" if first or at.hour == 0 else "") + f",{at.hour}時"


@dataclass(frozen=True)
class Dress:
    """How one grid company writes its results. `also` are columns that we do not take, written as 0."""

    encoding: str
    newline: str
    heads: tuple[str, ...]
    series: tuple[Series, ...]
    label: Callable[[datetime, bool], str]
    watts: float = 1e6
    period_s: int = 3600
    missing: str = ""
    total: bool = False
    also: tuple[int, ...] = ()

    def write(self, start_at: datetime, cells: Cells) -> bytes:
        """Return the file whose first interval begins at `start_at` (Japan, without zone)."""
        lines = list(self.heads)
        for number, row in enumerate(cells):
            at = start_at + timedelta(seconds=number * self.period_s)
            figures = [self.missing if cell is None else str(cell) for cell in row]
            for where in self.also:
                figures.insert(where, "0")
            if self.total:
                figures.append(str(sum(cell or 0 for cell in row[1:])))
            lines.append(",".join([self.label(at, number == 0), *figures]))
        return (self.newline.join(lines) + self.newline).encode(self.encoding)


_KYUSHU = (
    ",,,,,,,太陽光,太陽光,風力,風力,,",
    "DATE_TIME,エリア需要〔MWh〕,原子力〔MWh〕,火力〔MWh〕,水力〔MWh〕,地熱〔MWh〕,バイオマス〔MWh〕,実績〔MWh〕,抑制量〔MWh〕,"
    "実績〔MWh〕,抑制量〔MWh〕,揚水等〔MWh〕,連系線〔MWh〕",
)
_HALF = "DATE,TIME,エリア需要,原子力,火力(LNG),火力(石炭),火力(石油),火力(その他),水力,地熱,バイオマス,太陽光発電実績,"

DRESSES: dict[str, Dress] = {
    "kyushu": Dress("cp932", "\r\n", _KYUSHU, _COMPANY, _one_column),
    "tohoku": Dress(
        "cp932",
        "\r\n",
        (
            "DATE_TIME,エリア需要〔MWh〕,水力〔MWh〕,火力〔MWh〕,原子力〔MWh〕,太陽光実績〔MWh〕,太陽光抑制量〔MWh〕,風力実績〔MWh〕,"
            "風力抑制量〔MWh〕,地熱〔MWh〕,バイオマス〔MWh〕,揚水〔MWh〕,連系線〔MWh〕",
        ),
        tuple(_COMPANY[at] for at in (0, 3, 2, 1, 6, 7, 8, 9, 4, 5, 10, 11)),
        _one_column,
    ),
    "chubu": Dress(
        "cp932",
        "\r\n",
        (
            "・特定できないものは火力に包含(2021年9月1日から地熱・一部のバイオマスを特定）",
            ",,,,,,,,,,,,,単位：MWh",
            "DATE,TIME,エリア需要,原子力,火力,水力,地熱,バイオマス,太陽光（実績）,太陽光（出力制御量）,風力（実績）,風力（出力制御量）,揚水,連系線",
        ),
        _COMPANY,
        _padded,
    ),
    "hokkaido": Dress(
        "cp932",
        "\r\n",
        (
            "単位[MWh],,,,,,,,,,,,,,",
            ",,,供給力,,,,,,,,,,,",
            "月日,時刻,エリア需要,原子力,火力,水力,地熱,バイオマス,太陽光実績,太陽光抑制量,風力実績,風力抑制量,揚水,連系線,供給力合計",
            ",,,,,,,,,,,,,,",
        ),
        _COMPANY,
        _date_once,
        total=True,
    ),
    "hokuriku": Dress(
        "cp932",
        "\r\n",
        (
            "※例えば、0:00の実績値は、0時00分から1時00分までの1時間平均値を示します,,,,,,,,,,,,,",
            ",,エリア需要,原子力,火力,水力,地熱,バイオマス,太陽光実績,太陽光抑制量,風力実績,風力抑制量,揚水,連系線",
            "DATE,TIME" + ",MWh" * 12,
        ),
        _COMPANY,
        _two_columns,
    ),
    "chugoku": Dress(
        "cp932",
        "\r\n",
        (
            "供給区域の需給実績,,,,,,,,,,,,,",
            ",,需要実績(MWh),供給実績(MWh),,,,,,,,,,",
            "DATE,TIME,需要,原子力,火力,水力,地熱,バイオマス,太陽光(実績),太陽光(抑制量),風力(実績),風力(抑制量),揚水,連系線潮流",
        ),
        _COMPANY,
        _two_columns,
        missing="－",
    ),
    "shikoku": Dress(
        "utf-8-sig",
        "\r\n",
        (
            '"　・年間8,784時間のエリア電力需要実績(送電端)とエリア供給力実績(送電端)",,,,,,,,,,,,,,',
            ",,,,,,,,,,,,,,（単位：万ｋW）",
            "DATE,TIME,エリア需要,供給力,,,,,,,,,,,",
            ",,,原子力,火力,水力,地熱,バイオマス,太陽光,,風力,,揚水,連系線,合計",
            ",,,,,,,,実績,制御量,実績,制御量,,,",
        ),
        _COMPANY,
        _two_columns,
        watts=1e7,
        missing="－",
        total=True,
    ),
    "tokyo hourly": Dress(
        "cp932",
        "\r\n",
        (
            "単位[万kWh],,,供給力",
            "DATE,TIME,東京エリア需要,原子力,火力,水力,地熱,バイオマス,太陽光発電実績,太陽光出力制御量,風力発電実績,風力出力制御量,揚水,連系線,合計",
        ),
        _COMPANY,
        _two_columns,
        watts=1e7,
        total=True,
    ),
    "half-hourly, 20 columns": Dress(
        "utf-8",
        "\n",
        ("単位[MW平均],,,供給力", _HALF + "太陽光出力制御量,風力発電実績,風力出力制御量,揚水,蓄電池,連系線,その他,合計"),
        _HALF_HOURLY,
        _two_columns,
        period_s=1800,
        total=True,
    ),
    "half-hourly, 22 columns": Dress(
        "cp932",
        "\r\n",
        (
            "単位[MW平均],,,供給力",
            _HALF.replace("水力", "火力出力制御量,水力").replace("バイオマス", "バイオマス,バイオマス出力制御量")
            + "太陽光出力制御量,風力発電実績,風力出力制御量,揚水,蓄電池,連系線,その他,合計",
        ),
        _HALF_HOURLY,
        _two_columns,
        period_s=1800,
        total=True,
        also=(6, 10),
    ),
    "half-hourly, other words": Dress(
        "utf-8",
        "\r\n",
        (
            "",
            "年月日,時刻,エリア需要〔MW〕,原子力〔MW〕,火力（ＬＮＧ）〔MW〕,火力（石炭）〔MW〕,火力（石油）〔MW〕,火力（その他）〔MW〕,"
            "水力〔MW〕,地熱〔MW〕,バイオマス〔MW〕,太陽光 実績〔MW〕,太陽光抑制量〔MW〕,風力実績〔ＭＷ〕,風力抑制量〔MW〕,"
            "揚水〔MW〕,蓄電池〔MW〕,連系線〔MW〕,その他〔MW〕",
        ),
        _HALF_HOURLY,
        _padded,
        period_s=1800,
        missing="-",
    ),
}


def spot_summary(first_day: datetime, prices: Sequence[Sequence[str]]) -> bytes:
    """Return a JEPX spot summary: per half hour from midnight of `first_day` the system price and nine areas."""
    areas = ("北海道", "東北", "東京", "中部", "北陸", "関西", "中国", "四国", "九州")
    head = [
        "受渡日",
        "時刻コード",
        "売り入札量(kWh)",
        "システムプライス(円/kWh)",
        *(f"エリアプライス{area}(円/kWh)" for area in areas),
    ]
    lines = [",".join(head)]
    for number, row in enumerate(prices):
        day = first_day + timedelta(days=number // 48)
        lines.append(",".join([f"{day:%Y/%m/%d}", str(number % 48 + 1), "17007100", *row]))
    return ("\r\n".join(lines) + "\r\n").encode("cp932")


def running_day(
    updated_at: datetime, day: datetime, hours: Sequence[Sequence[int | None]], five_minutes: Sequence[Sequence[int | None]]
) -> bytes:
    """Return a denki-yoho page in 万kW: per hour (actual, forecast, capacity), per five minutes (demand, sun)."""

    def figures(row: Sequence[int | None]) -> list[str]:
        return ["" if cell is None else str(cell) for cell in row]

    lines = [
        f"{updated_at.year}/{updated_at.month}/{updated_at.day} {updated_at.hour}:{updated_at.minute:02} UPDATE",
        "ピーク時供給力(万kW),時間帯,供給力情報更新日,供給力情報更新時刻,ピーク時予備率(%),ピーク時使用率(%)",
        "1113,4:00〜5:00,3/1,22:48,16,87",
        "DATE,TIME,当日実績(万kW),予測値(万kW),使用率(%),予備率(%),供給力想定値(万kW)",
    ]
    for number, row in enumerate(hours):
        actual, forecast, capacity = figures(row)
        at = day + timedelta(hours=number)
        lines.append(f"{_two_columns(at, False)},{actual},{forecast},89,12,{capacity}")
    lines += ["", "最大使用率(%),時間帯", "89,1:00〜2:00"]
    lines.append("DATE,TIME,当日実績(５分間隔値）(万kW),太陽光発電実績(５分間隔値）(万kW)")
    for number, row in enumerate(five_minutes):
        lines.append(",".join([_two_columns(day + timedelta(minutes=5 * number), False), *figures(row)]))
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def generic(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return a generic CSV."""
    return "".join(",".join(row) + "\n" for row in (head, *rows)).encode("utf-8")


def emission_forecasts(first_at: datetime, step: timedelta, rows: Sequence[Sequence[str]]) -> bytes:
    """Return an archive of forecasts of marginal emissions; the first figure of a row is that of the moment itself."""
    head = ["time", "moer", *(f"f{k}" for k in range(1, len(rows[0])))]
    return generic(head, [[str(first_at + number * step), *row] for number, row in enumerate(rows)])
